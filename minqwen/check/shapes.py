"""What is wrong with the shape or the type of a result, in words, before anybody looks at its numbers."""

from minqwen.check import plain


def fault(yours: plain.Plain, expected: plain.Plain, axes: tuple[str, ...]) -> str:
    """A clause about the result, or nothing if shape and type are right. `axes` are the letters of its last axes."""
    kinds = _kind(yours), _kind(expected)
    if kinds[0] != kinds[1]:
        wanted = f"{kinds[1]} of shape {expected.shape}" if expected.shape is not None else kinds[1]
        return f"you returned {_named(yours)}, but {wanted} is expected"
    if yours.shape != expected.shape:
        exchanged = _exchanged(yours.shape, expected.shape, axes)
        return f"its shape is {yours.shape}, but {expected.shape} is expected{exchanged}"
    if len(yours.parts) == len(expected.parts):
        faults = (fault(*pair, ()) for pair in zip(yours.parts, expected.parts))
        for i, words in enumerate(faults):
            if words:
                return f"in entry [{i}], {words}"
    if yours.type != expected.type and expected.parts:
        return f"you returned a {yours.type}, but a {expected.type} is expected"
    if yours.type != expected.type:
        types = (x.type.removeprefix(plain.ARRAY) for x in (yours, expected))
        return "its type is {}, but {} is expected".format(*types)
    return ""


def _kind(x: plain.Plain) -> str:
    if x.shape is not None:
        return "an array" if x.type.startswith(plain.ARRAY) else "a tensor"
    if x.type.startswith(plain.TENSORS):
        return "a tuple of tensors"
    kinds = {"list": "a list", "set": "a set", "dict": "a dict", "str": "a string", "bytes": "a byte string"}
    return kinds.get(x.type, "a plain number")


def _named(yours: plain.Plain) -> str:
    if yours.shape is not None:
        return f"{_kind(yours)} of shape {yours.shape}"
    if yours.parts:
        return f"a {yours.type}"
    if _kind(yours) != "a plain number":
        return _kind(yours)
    return f"the {'truth value' if yours.type == 'bool' else 'number'} {yours.values[0]}"


def _exchanged(yours: tuple[int, ...], expected: tuple[int, ...], axes: tuple[str, ...]) -> str:
    if sorted(yours) != sorted(expected):
        return ""
    if len(set(expected)) < len(expected) or len(axes) != len(expected):
        return ": the same sizes in another order, so axes are exchanged"
    letter = dict(zip(expected, axes))
    return f": that is ({', '.join(letter[size] for size in yours)}), and it should be ({', '.join(axes)})"
