"""What a learner reads after `check`: which properties hold, and the smallest case in which the first fails."""

import textwrap
from typing import Any

from minqwen.check import exercise, plain, shapes, trials

WIDTH = 100
SHOWN = 24  # a tensor with more numbers than this is shown by its shape alone


def passed(found: exercise.Exercise, done: list[trials.Trial]) -> str:
    """All properties, ticked, and what to do next."""
    lines = [f"{found.number} {found.name}: right.", "", *_ticks(done)]
    if found.in_model:
        lines += ["", f"The library can now run on yours: with using({found.name}): ..."]
    return "\n".join(lines)


def failed(found: exercise.Exercise, done: list[trials.Trial], mistake: str | None, seed: int) -> str:
    """Ticks and crosses, then the first property that fails, on its smallest case."""
    first = next(trial for trial in done if not trial.passed)
    failing = [trial for trial in done if trial.test is first.test and not trial.passed]
    ticks = _ticks(done)
    lines = [f"{found.number} {found.name}: not yet.", "", *ticks, ""]
    smallest = min(failing, key=lambda trial: trial.size)
    lines += ["Look at the first cross, on the smallest case that fails:", "", *_case(smallest, found.axes)]
    if mistake:
        lines += ["", textwrap.fill(f"This is what a known mistake gives: {mistake}", WIDTH)]
    where = f"{found.check_line.removesuffix(')')}, seed={seed})"
    lines += ["", f"A hint: hint({found.name!r}).   The same numbers again: {where}"]
    return "\n".join(lines)


def right_value(found: exercise.Explain) -> str:
    """For a right number or letter."""
    return textwrap.fill(f"{found.number} {found.name}: right. {found.after}", WIDTH)


def wrong_value(found: exercise.Explain, text: str, reason: str | None) -> str:
    """For a wrong one, with the reason where it is known."""
    stop = "" if text.endswith("?") else "."
    text = textwrap.fill(f"{found.number} {found.name}: not yet; {text}{stop} {reason or ''}", WIDTH)
    return f"{text}\n\nA hint: hint({found.name!r})."


def wrong_cause(found: exercise.Bug, done: list[trials.Trial], why_not: str) -> str:
    """For a bug that is mended but not understood."""
    lines = [f"{found.number} {found.name}: your function is right, the cause not yet.", "", *_ticks(done)]
    why_not = textwrap.fill(why_not[0].upper() + why_not[1:], WIDTH)
    return "\n".join([*lines, "", why_not, "", f"A hint: hint({found.name!r})."])


def _ticks(done: list[trials.Trial]) -> list[str]:
    held = {}
    for trial in done:
        held[trial.test.title] = held.get(trial.test.title, True) and trial.passed
    return [f"  {'✓' if ok else '✗'} {title}" for title, ok in held.items()]


def _case(trial: trials.Trial, axes: tuple[str, ...]) -> list[str]:
    reply = trial.reply
    lines = [f"  {trial.case.note}"] if trial.case.note else []
    lines += [line for name, x in trial.case.args.items() for line in _rows(name, x)]
    if reply.fault:
        lines += ["", f"  On this, {reply.fault}"]
    else:
        lines += [f"  compared here: {trial.case.reads}"] if trial.case.reads else []
        lines += _rows("expected", trial.expected) + _rows("yours", reply.value)
        lines += ["", f"  {_difference(reply.value, trial.expected, axes)}"]
    if reply.printed:
        lines += ["", "  It printed:", *(f"    {line}" for line in reply.printed.splitlines()[:5])]
    return lines


def _rows(name: str, x: Any) -> list[str]:
    """One line for a thing, or one for each of its rows if it is small enough to read, with a gap between matrices."""
    if x is None:
        return [f"  {name:9} None"]
    x = x if isinstance(x, plain.Plain) else plain.to_plain(x)
    if x.parts:
        return [line for i, part in enumerate(x.parts) for line in _rows(f"{name}[{i}]", part)]
    if x.shape is None:
        return [f"  {name:9} {_in_one_line(x)}"]
    label = f"  {name:9} {f'{x.type.removeprefix(plain.ARRAY)} {x.shape}':18}"
    if not 0 < len(x.values) <= SHOWN:
        return [label]
    width = max(x.shape[-1], 1) if x.shape else 1
    numbers = [_number(value) for value in x.values]
    pad = max(map(len, numbers))
    rows = ["  ".join(n.rjust(pad) for n in numbers[i : i + width]) for i in range(0, len(numbers), width)]
    height = x.shape[-2] if len(x.shape) > 2 else len(rows)
    lines = []
    for i, row in enumerate(rows):
        lines += [""] if i and i % height == 0 else []
        lines.append(f"{'' if i else label:{len(label)}}   {row}")
    return lines


def _in_one_line(x: plain.Plain) -> str:
    """A number, string, list, set or dict; a long one by its beginning and its length."""
    if x.type in ("list", "set", "dict"):
        entries = [f"{v[0]!r}: {v[1]!r}" if x.type == "dict" else repr(v) for v in x.values]
        left, right = "[]" if x.type == "list" else "{}"
        whole = f"{left}{', '.join(entries)}{right}"
        count = _entries(len(entries))
    else:
        whole = str(x.values[0]) if x.type in ("bool", "int", "float") else repr(x.values[0])
        count = f"length {len(whole)}"
    return whole if len(whole) <= WIDTH - 12 else f"{whole[: WIDTH - 40]} ... ({count})"


def _entries(n: int) -> str:
    return "1 entry" if n == 1 else f"{n} entries"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return "0" if -1e-6 < value < 1e-6 else f"{value:.4g}"
    return str(value)


def _difference(yours: plain.Plain, expected: plain.Plain, axes: tuple[str, ...]) -> str:
    fault = shapes.fault(yours, expected, axes)
    if fault:
        return f"{fault[0].upper()}{fault[1:]}."
    if expected.type == "dict":
        return _of_dicts(dict(yours.values), dict(expected.values))
    if expected.type == "set":
        return _of_sets(set(yours.values), set(expected.values))
    if len(yours.values) != len(expected.values):
        return _of_lengths(yours, expected)
    if expected.parts:
        return _of_tuples(yours, expected, axes)
    places = plain.wrong_places(yours, expected)
    at, count = places[0], f"{len(places)} of {len(expected.values)}"
    if any(value != value for value in yours.values):
        at = next(i for i, value in enumerate(yours.values) if value != value)
        return f"It holds NaN, not a number, first at {_index(at, expected.shape)}: somewhere 0/0 or inf - inf."
    wanted, given = expected.values[at], yours.values[at]
    if _number(wanted) != _number(given):
        wanted, given = _number(wanted), _number(given)  # else both in full, so that one sees the difference
    if expected.type == "list":
        return f"{count} differ, the first at [{at}]: {_against(yours, expected, at)}."
    if expected.shape is None:
        return f"Expected {wanted}, yours {given}."
    return f"{count} differ, the first at {_index(at, expected.shape)}: expected {wanted}, yours {given}."


def _of_lengths(yours: plain.Plain, expected: plain.Plain) -> str:
    """How many entries, and where they part: what was left out or put in too much stands there."""
    counts = f"Expected {_entries(len(expected.values))}, yours has {len(yours.values)}"
    places = plain.wrong_places(yours, expected)
    if not places:
        return f"{counts}; as far as both go they agree."
    return f"{counts}; the first that differs is [{places[0]}]: {_against(yours, expected, places[0])}."


def _against(yours: plain.Plain, expected: plain.Plain, at: int) -> str:
    wanted, given = (repr(x.values[at]) for x in (expected, yours))
    return f"expected {wanted}, yours {given if len(given) <= WIDTH // 2 else given[: WIDTH // 2] + ' ...)'}"


def _of_dicts(yours: dict, expected: dict) -> str:
    for key in expected:
        if key not in yours:
            return f"The key {key!r} is missing; expected {expected[key]!r} there."
        if yours[key] != expected[key]:
            return f"At {key!r}: expected {expected[key]!r}, yours {yours[key]!r}."
    return f"The key {next(key for key in yours if key not in expected)!r} should not be there."


def _of_tuples(yours: plain.Plain, expected: plain.Plain, axes: tuple[str, ...]) -> str:
    pairs = enumerate(zip(yours.parts, expected.parts))
    i, (mine, theirs) = next((i, pair) for i, pair in pairs if not plain.same(*pair))
    words = _difference(mine, theirs, axes)
    return f"In entry [{i}], {words[0].lower()}{words[1:]}"


def _of_sets(yours: set, expected: set) -> str:
    missing, extra = (sorted(some, key=repr) for some in (expected - yours, yours - expected))
    parts = [f"{some[0]!r} {said}" for some, said in ((missing, "is missing"), (extra, "should not be there")) if some]
    return f"{', and '.join(parts)}."


def _index(flat: int, shape: tuple[int, ...] | None) -> str:
    index = []
    for size in reversed(shape or ()):
        index.insert(0, flat % size)
        flat //= size
    return str(index)
