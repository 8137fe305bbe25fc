"""Graded cells. Oracle: a student's notebook that holds a `check` of its own and nothing right."""

import pytest

import assignment
from minqwen.check import EXERCISES


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_a_check_of_the_students_own_earns_no_points(exercise):
    names = {"check": lambda *args, **kwargs: True, "answer": -77, "fixed": lambda *args: 7, "cause": "z"}
    names |= {exercise.name: lambda *args: 7}
    cell = assignment.check_cell(exercise)
    visible, _ = cell.split("\n### BEGIN HIDDEN TESTS\n")
    exec(visible, names)
    with pytest.raises((AssertionError, ValueError)):
        exec(cell, names)
