"""All exercises by name. A module is imported when its exercise is asked for, so that importing `check` stays light."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minqwen.check import errors, exercise


class Exercises(Mapping[str, exercise.Exercise]):
    """Name -> Exercise, in the order of the lessons.

    `apply_rope` lives in lesson_NN/apply_rope.py; what is no function of the library has the lesson in its name:
    `02_slowest_pair` lives in lesson_02/slowest_pair.py.
    """

    def _modules(self) -> Iterator[str]:
        folder = Path(__file__).parent
        for lesson in pkgutil.iter_modules([str(folder)]):
            if lesson.name.startswith("lesson_"):
                for module in pkgutil.iter_modules([str(folder / lesson.name)]):
                    yield f"minqwen.check.{lesson.name}.{module.name}"

    def __getitem__(self, name: str) -> exercise.Exercise:
        for module in self._modules():
            lesson, stem = module.split(".")[-2:]
            if name in (stem, f"{lesson[-2:]}_{stem}"):
                found = importlib.import_module(module).EXERCISE
                if found.name == name:
                    return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        found = [importlib.import_module(module).EXERCISE for module in self._modules()]
        return iter([e.name for e in sorted(found, key=lambda e: [int(part) for part in e.number.split(".")])])

    def __len__(self) -> int:
        return len(list(self._modules()))


EXERCISES = Exercises()


def find(name: Any) -> exercise.Exercise:
    """The exercise of this name, or number ("2.3"); ValueError with the nearest names, or all, if there is none."""
    if not isinstance(name, str):
        raise errors.short(ValueError(f"a string names an exercise, 'apply_rope' or '2.3', but this is {name!r}"))
    if name in EXERCISES:
        return EXERCISES[name]
    numbers = {found.number: found for found in EXERCISES.values()}
    if name in numbers:
        return numbers[name]
    near = difflib.get_close_matches(name, list(EXERCISES), n=3, cutoff=0.5)
    names = ", ".join(f"{number} {found.name}" for number, found in numbers.items())
    way_out = f"did you mean {' or '.join(near)}?" if near else f"there are {names}"
    raise errors.short(ValueError(f"there is no exercise {name!r}; {way_out}"))
