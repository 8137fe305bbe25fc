"""What exercises are made of: cases, tests, causes, and known wrong answers.

Wrong answers test the tests: DeMillo, Lipton and Sayward 1978, "Hints on Test Data Selection".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from minqwen.check import plain, sources


@dataclass(frozen=True)
class Case:
    """One call of the answer. `expected` is the result, or what `read` finds in it (`reads` says what, in words).

    With `of`, it is this argument, as the answer leaves it, that is read and judged in place of the result.
    With `gradients`, these arguments ask for gradients, and what is judged is whether one arrives at each (from what
    `read` finds, if it is given). With `slope`, it is the gradient of the sum of the result, or of its first part, at
    this argument. In all these cases `whole`, which `trials.draw` adds, is the full result, so that shape and type are
    judged before a part is.
    """

    args: dict[str, Any]
    expected: Any = None
    note: str = ""
    read: Callable[[torch.Tensor], torch.Tensor] | None = None
    reads: str = ""
    of: str = ""
    gradients: tuple[str, ...] = ()
    slope: str = ""
    whole: plain.Plain | None = None


@dataclass(frozen=True)
class Test:
    """One property, as a sentence about the answer, and how to draw cases of it.

    The engine draws twice: the same shapes with other values, so that nothing can be learnt by heart.
    """

    title: str
    draw: Callable[[torch.Generator], Iterable[Case]]


@dataclass(frozen=True)
class WrongAnswer:
    """A mistake that learners make: a function or a value, and the sentence that names it."""

    sentence: str
    function: Callable[..., Any] | None = None
    value: float | int | str | None = None
    source: str = ""


def mistake(solution: Callable[..., Any], sentence: str, *edits: tuple[str, str]) -> WrongAnswer:
    """The wrong answer that these edits of the solution, old text and new, make."""
    source = sources.edited(sources.text(solution), *edits)
    return WrongAnswer(sentence, sources.compiled(source, solution), source=source)


@dataclass(frozen=True)
class Cause:
    """One explanation of a bug, and, if it is not the right one, why not."""

    text: str
    why_not: str = ""


def listed(causes: dict[str, Cause]) -> str:
    """The causes as a Markdown list, for the end of a statement."""
    return "\n".join(f"- **{letter}**: {cause.text}" for letter, cause in causes.items())
