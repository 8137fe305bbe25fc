"""Judging what is no function: a number or a letter, and the cause of a bug."""

from typing import Any, NamedTuple

from minqwen.check import exercise, plain, report, trials

MEASURED = 0.05  # how far, as a share of it, a measured number may lie from the whole number that it tells of


class Verdict(NamedTuple):
    """Right or not, the known mistake if it is one, and the report."""

    passed: bool
    mistake: str | None
    text: str


def of_value(found: exercise.Explain, answer: Any) -> Verdict:
    """A number within the tolerance, or the right letter; a known wrong value gets its reason."""
    value = _value(answer)
    if value is None or isinstance(value, str) is not isinstance(found.answer, str):
        wanted = "letter, such as 'b'" if isinstance(found.answer, str) else "number"
        text = f"the answer is a {wanted}, and this is a {type(answer).__name__}"
        return Verdict(False, None, report.wrong_value(found, text, None))
    if _agree(value, found.answer, found.tolerance):
        return Verdict(True, None, report.right_value(found))
    shown = value if isinstance(value, str) else f"{value:.6g}"
    for wrong in found.wrong_answers.values():
        if _agree(value, wrong.value, found.tolerance):
            return Verdict(False, wrong.sentence, report.wrong_value(found, f"it is not {shown}", wrong.sentence))
    text = f"it is not {shown}"
    if _is_whole(found.answer) and not _is_whole(value) and _agree(value, found.answer, MEASURED):
        text = f"{shown} is close, as a measurement is: which whole number is it near?"
    return Verdict(False, None, report.wrong_value(found, text, None))


def of_cause(found: exercise.Bug, done: list[trials.Trial], cause: str | None) -> Verdict:
    """The function is right; is the letter?"""
    letter = cause.strip().strip("()").lower() if isinstance(cause, str) else None
    if letter == found.cause:
        return Verdict(True, None, report.passed(found, done))
    if letter not in found.causes:
        letters = ", ".join(found.causes)
        why_not = f"which cause was it? Set cause to one of {letters}: {found.check_line}"
        return Verdict(False, None, report.wrong_cause(found, done, why_not))
    why_not = f"cause ({letter}) is not what was broken: {found.causes[letter].why_not}"
    return Verdict(False, found.causes[letter].why_not, report.wrong_cause(found, done, why_not))


def _value(answer: Any) -> float | str | None:
    # float.__float__ gives the number inside even where a subclass (NumPy's, or a liar's) says otherwise.
    if type(answer) is str:
        return answer.strip().lower()
    if isinstance(answer, float):
        return float.__float__(answer)
    if isinstance(answer, int) and not isinstance(answer, bool):
        return float(int.__int__(answer))
    try:
        found = plain.to_plain(answer)
    except TypeError:
        return None
    is_number = found.shape is not None and len(found.values) == 1 and type(found.values[0]) is not bool
    return float(found.values[0]) if is_number else None


def _is_whole(value: float | int | str) -> bool:
    return not isinstance(value, str) and float(value).is_integer()


def _agree(value: float | str, wanted: float | int | str, tolerance: float) -> bool:
    if isinstance(value, str) or isinstance(wanted, str):
        return value == wanted
    margin = max(tolerance, 1e-9) * (wanted if wanted > 0 else -wanted)
    return -margin <= value - wanted <= margin
