"""The notebooks of a class: the teacher's, written here, and the student's, which nbgrader makes of it."""

import ast
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import PyFileConfigLoader

import lecture
import lesson

TEACHERS_SEED = 20230928  # known to all: who grades for marks sets another one, in a private copy

IMPORTS = """\
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.testing import assert_close

from minqwen.check import check, hint, using"""

TITLE = """\
# {title}: exercises

{count} exercises, {points} points, about {minutes} minutes. They belong to [the lesson](../../notebooks/{stem}.ipynb).

Replace each `raise NotImplementedError` with your code and run the cell; the cell below it says how far you are. A red
AssertionError only means *not yet*: read the report above it."""

ON_TENSORS = """ The annotations in the first line of a function only
repeat the shapes of the text; `x.mT` exchanges the last two axes."""

NOT_YET = '"not yet: the report above says why"'


def render(source: lesson.Lesson, exercises: Mapping) -> NotebookNode:
    """The teacher's notebook: the exercises of a source with their solutions between nbgrader's marks."""
    chosen = [exercises[cell.exercise] for cell in source.exercises]
    title = TITLE.format(
        title=source.title,
        count=len(chosen),
        points=sum(exercise.points for exercise in chosen),
        minutes=sum(exercise.minutes for exercise in chosen),
        stem=source.stem,
    )
    title += ON_TENSORS if any("Tensor" in exercise.stub + exercise.setup for exercise in chosen) else ""
    cells = [lesson.markdown(title, "title"), lesson.code(IMPORTS, "imports")]
    cells += [lesson.code(cell.source, cell.id) for cell in source.cells if "setup" in cell.tags]
    for cell in source.exercises:
        cells += _exercise(cell, exercises[cell.exercise], f"../../notebooks/{source.stem}.ipynb")
    return lesson.notebook(cells)


def _exercise(cell: lesson.Cell, exercise, notebook: str) -> list[NotebookNode]:
    name = exercise.name
    # Sections and exercises are numbered apart, so the link leaves the section's number out.
    words = re.sub(r"^\d+\.\d+ ", "", cell.section)
    back = f'lesson section ["{words}"]({notebook}{lesson.anchor(cell.section)})'
    statement = f"""\
## {lecture.heading(exercise)}

{exercise.statement.strip()}

{lesson.facts(exercise)} · stuck? Run `hint("{name}")`, up to four times · {back}"""
    cells = [lesson.markdown(statement, f"{name}-text")]
    if exercise.setup.strip():
        cells.append(lesson.code(exercise.setup.strip(), f"{name}-setup"))
    cells.append(lesson.code(answer_cell(exercise), name, nbgrader=_marks(name, solution=True)))
    check = lesson.code(check_cell(exercise), f"{name}-check")
    check.metadata["nbgrader"] = _marks(f"{name}-check", grade=True, locked=True, points=exercise.points)
    cells.append(check)
    return cells + ([lesson.code(cell.source, f"{name}-use", cell.tags)] if cell.source else [])


def _marks(grade_id: str, **what) -> dict:
    nothing = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
    return nothing | what | {"grade_id": grade_id}


def answer_cell(exercise) -> str:
    """The stub and, between nbgrader's marks, the solution; a name bound only there starts as `...`."""
    solution = exercise.solution.strip("\n")
    indent = solution[: len(solution) - len(solution.lstrip())]
    lines = [*_unwritten(exercise), exercise.stub.strip("\n")]
    lines += [f"{indent}### BEGIN SOLUTION", solution, f"{indent}### END SOLUTION"]
    return "\n".join(line for line in lines if line)


def _unwritten(exercise) -> list[str]:
    """`fixed = cause = ...` for names that the check needs and the stub leaves open, so that they are no NameError."""
    used = [node.id for node in ast.walk(ast.parse(exercise.check_line)) if isinstance(node, ast.Name)]
    body = exercise.solution.lstrip("\n")
    stub = exercise.stub.rstrip() + ("\n    ..." if body.startswith(" ") else "")
    bound = {"check"} | {getattr(node, "name", getattr(node, "id", "")) for node in ast.walk(ast.parse(stub))}
    names = [name for name in used if name not in bound]
    return [" = ".join([*names, "..."])] if names else []


def check_cell(exercise) -> str:
    """The visible check and, hidden, the same again: by the library's `check`, whatever the name means by then, and for
    a function with inputs that the student has not seen."""
    visible = f"assert {exercise.check_line}, {NOT_YET}"
    again = f"assert {exercise.check_line[:-1]}, seed={TEACHERS_SEED}), {NOT_YET}" if exercise.tests else visible
    return f"{visible}\n### BEGIN HIDDEN TESTS\nfrom minqwen.check import check\n\n{again}\n### END HIDDEN TESTS"


def release(config: Path, teachers: dict[str, NotebookNode]) -> dict[str, NotebookNode]:
    """nbgrader's student version of each teacher's notebook, by stem: `nbgrader generate_assignment --no-db`."""
    if not teachers:
        return {}
    settings = PyFileConfigLoader(str(config)).load_config()
    settings.SaveCells.enabled = False
    settings.GenerateAssignment.no_database = True
    settings.CourseDirectory.assignment_id = "*"
    with tempfile.TemporaryDirectory() as folder:
        settings.CourseDirectory.root = folder
        for stem, notebook in teachers.items():
            path = Path(folder, "solutions", stem, f"{stem}.ipynb")
            path.parent.mkdir(parents=True)
            nbformat.write(notebook, path)
        GenerateAssignment(coursedir=CourseDirectory(config=settings), config=settings).start()
        return {stem: nbformat.read(Path(folder, "exercises", stem, f"{stem}.ipynb"), 4) for stem in teachers}
