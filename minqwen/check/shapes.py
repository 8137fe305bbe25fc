"""What is wrong with the shape or the type of a result, in words, before anybody looks at its numbers."""

from minqwen.check import plain


def fault(yours: plain.Plain, expected: plain.Plain, axes: tuple[str, ...]) -> str:
    """A clause about the result, or nothing if shape and type are right. `axes` are the letters of its last axes."""
    kinds = _kind(yours), _kind(expected)
    if kinds[0] != kinds[1] or (yours.shape is None) != (expected.shape is None):
        wanted = f"a tensor of shape {expected.shape}" if expected.shape is not None else f"a {kinds[1]}"
        return f"you returned {_named(yours)}, but {wanted} is expected"
    if yours.shape != expected.shape:
        exchanged = _exchanged(yours.shape, expected.shape, axes)
        return f"its shape is {yours.shape}, but {expected.shape} is expected{exchanged}"
    if yours.type != expected.type:
        return f"its type is {yours.type}, but {expected.type} is expected"
    return ""


def _kind(x: plain.Plain) -> str:
    kinds = {"list": "list", "dict": "dict", "str": "string", "bytes": "byte string"}
    return kinds.get(x.type, "plain number")


def _named(yours: plain.Plain) -> str:
    if yours.shape is not None:
        return f"a tensor of shape {yours.shape}"
    if _kind(yours) != "plain number":
        return f"a {_kind(yours)}"
    return f"the {'truth value' if yours.type == 'bool' else 'number'} {yours.values[0]}"


def _exchanged(yours: tuple[int, ...], expected: tuple[int, ...], axes: tuple[str, ...]) -> str:
    if sorted(yours) != sorted(expected):
        return ""
    if len(set(expected)) < len(expected) or len(axes) != len(expected):
        return ": the same sizes in another order, so axes are exchanged"
    letter = dict(zip(expected, axes))
    return f": that is ({', '.join(letter[size] for size in yours)}), and it should be ({', '.join(axes)})"
