"""The check engine: run an answer through its exercise's tests and say what is wrong with it.

An answer is never trusted. Its arguments are fresh random numbers, in copies that must come back unchanged; what is
expected was computed before the answer ran; its results become plain numbers at once and are compared by `plain`, which
asks them nothing; the library's own function refuses while it runs; and each property sees its shapes with other values
again.

This catches mistakes and shortcuts. It cannot stop a determined forger: code in the same process can read these very
objects, or replace them. Who grades for marks runs the check again in a fresh kernel, with a seed of their own (one in
a public repository is known to all), and looks at what was submitted.
"""

import inspect
import secrets
from dataclasses import dataclass
from typing import Any

from minqwen.check import errors, exercise, guard, registry, report, trials, verdict


@dataclass(frozen=True)
class CheckResult:
    """True if every property holds. `mistake` names the mistake, if it is a known one."""

    name: str
    passed: bool
    mistake: str | None
    seed: int
    report: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<{self.name}: {'right' if self.passed else 'not yet'}>"

    def _ipython_display_(self) -> None:
        """Show nothing: the report has just been printed."""


def check(answer: Any, name: Any = None, *, cause: str | None = None, seed: int | None = None) -> CheckResult:
    """Check an answer, print a report, return the result.

    A function of the library is known by its name: check(apply_rope). Other answers name their exercise:
    check(64, "01_variance"), check(fixed, "02_interleaved", cause="a"). The seed of a report repeats its numbers.
    """
    found = _exercise(answer, name)
    if answer is ...:  # where an exercise starts from
        raise _unwritten(found)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    if isinstance(found, exercise.Explain):
        judged = verdict.of_value(found, answer)
    else:
        with guard.own_settings():
            judged = _of_function(found, answer, cause, seed)
    print(judged.text)
    return CheckResult(found.name, judged.passed, judged.mistake, seed, judged.text)


def _of_function(found: exercise.Exercise, answer: Any, cause: str | None, seed: int) -> verdict.Verdict:
    if not callable(answer):
        message = f"{found.name} asks for a function, but check was given a {type(answer).__name__}"
        raise errors.short(
            ValueError(f"{message}; give it the function itself, without calling it: {found.check_line}")
        )
    if any(inspect.unwrap(answer) is theirs for theirs in guard.bare(found.closed)):
        raise errors.short(ValueError(_not_yours(found, answer)))
    done = trials.run_tests(found, answer, seed, guarded=True)
    if all(trial.reply.kind == "NotImplementedError" for trial in done):
        raise _unwritten(found)
    if not all(trial.passed for trial in done):
        mistake = trials.mistake(found, done)
        return verdict.Verdict(False, mistake, report.failed(found, done, mistake, seed))
    if isinstance(found, exercise.Bug):
        return verdict.of_cause(found, done, cause)
    return verdict.Verdict(True, None, report.passed(found, done))


def _not_yours(found: exercise.Exercise, answer: Any) -> str:
    if isinstance(found, exercise.Bug):
        return f"{answer.__name__} is the library's own; copy broken, mend the copy, then {found.check_line}"
    message = f"the name {answer.__name__} now means the library's function, not yours, since an import took it"
    return f"{message}; run the cell with yours again, then {found.check_line}"


def _exercise(answer: Any, name: Any) -> exercise.Exercise:
    if isinstance(answer, str) and answer in registry.EXERCISES:
        line = registry.EXERCISES[answer].check_line
        raise errors.short(ValueError(f"the answer comes first, and {answer!r} is the name of an exercise: {line}"))
    name = getattr(answer, "__name__", None) if name is None else name
    if name is None:
        message = f"check finds an exercise by the name of a function, and a {type(answer).__name__} has no name"
        way_out = "give it the function without calling it, check(apply_rope), or say what is answered"
        raise errors.short(ValueError(f'{message}; {way_out}, check(64, "01_variance")'))
    return registry.find(name)


def _unwritten(found: exercise.Exercise) -> Exception:
    message = f"{found.name} is not written yet; {found.check_line} will look at it when it is"
    return errors.short(NotImplementedError(message))
