"""Graded cells, and their title. Oracle: a student's notebook that holds a `check` of its own and nothing right."""

import nbformat
import pytest

import assignment
import build
from minqwen.check import EXERCISES

STUDENTS = sorted((build.ROOT / "exercises").glob("*/*.ipynb"))


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_a_check_of_the_students_own_earns_no_points(exercise):
    names = {"check": lambda *args, **kwargs: True, "answer": -77, "fixed": lambda *args: 7, "cause": "z"}
    names |= {exercise.name: lambda *args: 7}
    cell = assignment.check_cell(exercise)
    visible, _ = cell.split("\n### BEGIN HIDDEN TESTS\n")
    exec(visible, names)
    with pytest.raises((AssertionError, ValueError)):
        exec(cell, names)


@pytest.mark.parametrize(("stem", "said"), [("01_attention", True), ("07_data_cleaning", False)])
def test_only_who_meets_tensors_is_told_of_them(stem, said):
    [path] = [path for path in STUDENTS if path.stem == stem]
    assert ("`x.mT` exchanges the last two axes" in nbformat.read(path, 4).cells[0].source) == said
