"""The three kinds of exercise: write a function, find a number, mend a bug."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from minqwen.check import sources
from minqwen.check.parts import Cause, Test, WrongAnswer


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """What all three kinds share. `number` is lesson and place, `lesson` the stem of the notebook."""

    kind: ClassVar[str]
    name: str
    lesson: str
    number: str
    title: str
    statement: str
    why: str
    points: int
    minutes: int
    difficulty: int
    hints: tuple[str, str, str, str]
    wrong_answers: dict[str, WrongAnswer]
    imports: str = ""
    tests: tuple[Test, ...] = ()
    also_closed: tuple[Callable[..., Any], ...] = ()  # other functions of ours that would do it: helpers, oracles
    twins: tuple[Callable[..., Any], ...] = ()  # torch's functions that would
    changes: tuple[str, ...] = ()  # arguments that the answer shall write into
    may_view: bool = False  # whether the result may share memory with an argument
    in_model: bool = False  # whether model, tokenizer or trainer call the library's, and can run on the learner's

    @property
    def home(self) -> str | None:
        """Where the library keeps the function: "module:name"."""
        return None

    @property
    def setup(self) -> str:
        """What the learner's cell needs before it."""
        return self.imports

    @property
    def closed(self) -> tuple[Callable[..., Any], ...]:
        """Our functions that refuse while the answer runs."""
        return self.also_closed

    @property
    def axes(self) -> tuple[str, ...]:
        """The letters of the result's last axes, if they are known."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Implement(Exercise):
    """Write a function of the library. `reference` is the solution where the library's own body leans on helpers."""

    kind: ClassVar[str] = "implement"
    library: Callable[..., Any]
    reference: Callable[..., Any] | None = None
    faster: Callable[..., Any] | None = None  # a twin of ours that the model calls for speed; `using` replaces it too

    @property
    def home(self) -> str:
        """Where the library keeps the function: "module:name"."""
        return f"{self.library.__module__}:{self.library.__name__}"

    @property
    def closed(self) -> tuple[Callable[..., Any], ...]:
        """Our functions that refuse while the answer runs."""
        twin = (self.faster,) if self.faster else ()
        return (self.library, self.right, *twin, *self.also_closed)

    @property
    def axes(self) -> tuple[str, ...]:
        """The letters of the result's last axes, from the library's annotation: "*batch T D//2" gives T and D//2.

        A plain number has none.
        """
        shape = getattr(self.library.__annotations__["return"], "dim_str", "")
        letters = shape.replace("{", "").replace("}", "").split()
        return tuple(letter for letter in letters if not letter.startswith("*"))

    @property
    def right(self) -> Callable[..., Any]:
        """A function that must pass, without what a test run wraps around it."""
        return inspect.unwrap(self.reference or self.library)

    @property
    def stub(self) -> str:
        """The library's def line and docstring."""
        return sources.head(self.library)

    @property
    def solution(self) -> str:
        """The body below them."""
        return sources.body(self.reference or self.library)

    @property
    def check_line(self) -> str:
        """What the learner runs."""
        return f"check({self.name})"


@dataclass(frozen=True, kw_only=True)
class Explain(Exercise):
    """Find a number or choose a letter. `formula` is Python that gives it; it may use `math`.

    `why` stands before the question, so what the answer shows comes `after` it.
    """

    kind: ClassVar[str] = "explain"
    formula: str
    after: str
    tolerance: float = 0.0

    @property
    def answer(self) -> float | int | str:
        """The value of the formula."""
        return eval(self.formula, {"math": math})

    @property
    def stub(self) -> str:
        """What stands above the answer."""
        return f"# {self.title}"

    @property
    def solution(self) -> str:
        """The answer, as the formula that gives it."""
        return f"answer = {self.formula}"

    @property
    def check_line(self) -> str:
        """What the learner runs."""
        return f'check(answer, "{self.name}")'


@dataclass(frozen=True, kw_only=True)
class Bug(Exercise):
    """Mend `broken` (the edits do it) and say which of the causes it was."""

    kind: ClassVar[str] = "bug"
    broken: Callable[..., Any]
    mend: tuple[tuple[str, str], ...]
    symptom: str
    causes: dict[str, Cause]
    cause: str

    @property
    def setup(self) -> str:
        """The broken function, and a line that shows what is wrong with it."""
        return f"{self.imports}\n\n\n{sources.text(self.broken)}\n\n\n{self.symptom}".lstrip()

    @property
    def closed(self) -> tuple[Callable[..., Any], ...]:
        """Our functions that refuse while the answer runs."""
        return (self.right, *self.also_closed)

    @cached_property  # one and the same function each time, so that it can be closed
    def right(self) -> Callable[..., Any]:
        """The mended function."""
        return sources.compiled(self._fixed_source, self.broken)

    @property
    def _fixed_source(self) -> str:
        return sources.edited(sources.text(self.broken), ("def broken(", "def fixed("), *self.mend)

    @property
    def stub(self) -> str:
        """What to do, in one line."""
        return f"# Copy broken, call it fixed, mend it, and set cause to {' or '.join(map(repr, self.causes))}."

    @property
    def solution(self) -> str:
        """The mended function and the letter of the cause."""
        return f'{self._fixed_source}\n\ncause = "{self.cause}"'

    @property
    def check_line(self) -> str:
        """What the learner runs."""
        return f'check(fixed, "{self.name}", cause=cause)'
