"""Graded cells, and names that cells need. Oracles: a student who holds a `check` of their own and nothing right; the
names that Python's parser finds."""

import ast
import builtins
import re

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


def bound_and_used(source):
    """The names that a cell makes, arguments and imports included, and those that it reads."""
    bound, used = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        else:
            bound |= {getattr(node, field) for field in ("name", "arg") if isinstance(getattr(node, field, None), str)}
    return bound, used


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_a_learner_may_begin_with_any_exercise(path):
    known, own, title = set(dir(builtins)), None, "setup"
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown" and re.match("## ", cell.source):
            title, own = cell.source.split("\n")[0], set()
        elif cell.cell_type == "code":
            bound, used = bound_and_used(cell.source)
            assert used - bound - known - (own or set()) == set(), title
            assert not known & bound & {"answer", "fixed", "cause"}, f"{title} hides a name of the setup"
            if own is None:
                known |= bound
            else:
                own |= bound


@pytest.mark.parametrize(("stem", "said"), [("01_attention", True), ("07_data_cleaning", False)])
def test_only_who_meets_tensors_is_told_of_them(stem, said):
    [path] = [path for path in STUDENTS if path.stem == stem]
    assert ("`x.mT` exchanges the last two axes" in nbformat.read(path, 4).cells[0].source) == said
