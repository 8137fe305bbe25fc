"""Hints in four steps: a question, the shapes, pseudo-code, one line. Each call gives the next."""

import textwrap
from collections import Counter
from collections.abc import Callable
from typing import Any

from minqwen.check import registry

LEVELS = ("a question", "the shapes", "pseudo-code", "one line")

# How far each exercise's hints have been read in this kernel: a place in a book, not a setting.
_given: Counter[str] = Counter()


def hint(exercise: str | Callable[..., Any]) -> None:
    """Print the next hint for an exercise, named by a string or by the function itself."""
    found = registry.find(getattr(exercise, "__name__", exercise))
    level = min(_given[found.name], len(LEVELS) - 1)
    _given[found.name] += 1
    left = len(LEVELS) - 1 - level
    after = (
        f"{left} more: hint({found.name!r})"
        if left
        else f"that was the last, the earlier ones stand above; the solution is in solutions/{found.lesson}"
    )
    print(f"{found.number} {found.name}, hint {level + 1} of {len(LEVELS)} ({LEVELS[level]}):\n")
    print(f"{textwrap.fill(found.hints[level], 100)}\n\n({after})")
