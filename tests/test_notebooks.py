"""The notebooks as they are shipped: fresh, executed, without leaks, and graded rightly by nbgrader itself.

Two students hand in every assignment to the real `nbgrader autograde`: one writes the solutions, one writes nothing.
"""

import ast
import os
import re
import shutil
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.plugins import FileNameCollectorPlugin
from traitlets.config import PyFileConfigLoader

import assignment
import build
from minqwen.check import EXERCISES

ROOT = build.ROOT
LECTURES = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEACHERS = sorted((ROOT / "solutions").glob("*/*.ipynb"))
STUDENTS = sorted((ROOT / "exercises").glob("*/*.ipynb"))

# nbgrader's own use of its database warns so.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted.*not in session")

by_name = {"ids": lambda path: "/".join(path.relative_to(ROOT).parts[:: len(path.relative_to(ROOT).parts) - 1])}
every_lecture = pytest.mark.parametrize("path", LECTURES, **by_name)
every_student = pytest.mark.parametrize("path", STUDENTS, **by_name)
every_notebook = pytest.mark.parametrize("path", LECTURES + TEACHERS + STUDENTS, **by_name)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def marks(path: Path) -> list[dict]:
    return [cell.metadata.nbgrader for cell in code_cells(path) if "nbgrader" in cell.metadata]


def test_the_notebooks_are_what_their_sources_say_and_every_lecture_cell_was_executed():
    assert build.problems(ROOT, EXERCISES) == []


@every_notebook
def test_a_notebook_is_valid_and_its_ids_are_unique(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@every_notebook
def test_no_code_cell_ends_in_a_semicolon(path):
    assert [c.source for c in code_cells(path) if c.source.rstrip().endswith(";")] == []


@every_lecture
def test_no_lecture_cell_ends_in_an_error_where_run_all_would_stop(path):
    failed = [c.source for c in code_cells(path) if "error" in {output.output_type for output in c.outputs}]
    assert failed == [], "JupyterLab stops there, even where the tag raises-exception allows it: catch and print it"


@every_lecture
def test_a_cell_that_plots_ends_by_showing_it(path):
    for cell in code_cells(path):
        if "image/png" in {kind for output in cell.outputs for kind in output.get("data", {})}:
            last = ast.unparse(ast.parse(cell.source).body[-1])
            # A control shows itself, in one output; the name of an axis would add its text.
            control = last.isidentifier() and [output.output_type for output in cell.outputs] == ["display_data"]
            assert control or last == "plt.show()" or last.startswith("show."), (
                f"{cell.source}\n\nend it in plt.show(), show.*, or a control's name"
            )


@every_lecture
def test_stored_outputs_read_without_a_kernel_and_name_no_machine(path):
    notebook = nbformat.read(path, 4)
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "minqwen"}
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert not any("widget" in kind for kind in kinds) and not any(o.get("name") == "stderr" for o in outputs)
    written = re.sub(r"\\+", "/", nbformat.writes(notebook))  # a backslash is doubled by JSON, and again by a repr
    for place in (ROOT, Path(sys.prefix), Path.home()):
        assert f"{place.as_posix()}/" not in written


@every_notebook
def test_a_link_to_a_file_leads_somewhere(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target = urllib.parse.unquote(link.split("#")[0])
        # my/ is filled on the learner's machine, from exercises/.
        target = path.parent / target.replace("../my/", "../exercises/")
        assert link.startswith(("http", "#", "attachment:")) or target.exists(), link


@every_student
def test_grade_ids_are_unique_and_the_points_stated(path):
    ids = [mark["grade_id"] for mark in marks(path)]
    assert len(set(ids)) == len(ids)
    points = sum(mark.get("points", 0) for mark in marks(path))
    assert f" {points} points" in nbformat.read(path, 4).cells[0].source


def significant(text: str) -> set[str]:
    """Its lines of twelve characters or more, without the space in them."""
    return {line for raw in text.splitlines() if len(line := "".join(raw.split())) >= 12}


@every_student
def test_no_line_of_a_solution_stands_in_an_exercise(path):
    shipped = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    assert "SOLUTION" not in shipped and "HIDDEN TESTS" not in shipped
    for exercise in EXERCISES.values():
        if exercise.lesson == path.stem:
            given = significant(exercise.stub + "\n" + exercise.setup)
            assert (significant(exercise.solution) - given) & significant(shipped) == set()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """pytest's monkeypatch, for as long as this module runs."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def graded(tmp_path_factory, monkeypatch_module) -> Path:
    """A course folder in which nbgrader has graded both students in every assignment."""
    root = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    # nbgrader calls `alembic` by name when it makes a gradebook, and .venv need not be activated.
    monkeypatch_module.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    nbgrader = NbGraderAPI(config=PyFileConfigLoader(str(root / "nbgrader_config.py")).load_config())
    for path in TEACHERS:
        save(nbformat.read(path, 4), root / path.relative_to(ROOT))
        succeed(nbgrader.generate_assignment(path.stem))
        handed_in = nbformat.read(root / "exercises" / path.stem / path.name, 4)
        save(handed_in, root / "grading" / "submitted" / "nobody" / path.stem / path.name)
        for cell in handed_in.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = assignment.answer_cell(EXERCISES[cell.metadata.nbgrader.grade_id])
        save(handed_in, root / "grading" / "submitted" / "everybody" / path.stem / path.name)
        for student in ("nobody", "everybody"):
            succeed(nbgrader.autograde(path.stem, student))
    return root


def save(notebook: NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def succeed(done: dict) -> None:
    assert done["success"], done["log"]


def grades(root: Path, stem: str, student: str) -> list[tuple[str, float, float]]:
    with Gradebook(f"sqlite:///{root}/grading/gradebook.db", "minqwen") as gradebook:
        handed_in = gradebook.find_submission_notebook(stem, stem, student)
        return [(grade.name, grade.score, grade.max_score) for grade in handed_in.grades]


@every_student
def test_the_solutions_get_full_marks(path, graded):
    given = grades(graded, path.stem, "everybody")
    assert len(given) == len([mark for mark in marks(path) if mark["grade"]])
    assert [grade for grade in given if grade[1] != grade[2]] == []


@every_student
def test_an_exercise_as_shipped_gets_nothing_and_fails_only_for_want_of_an_answer(path, graded):
    assert [grade for grade in grades(graded, path.stem, "nobody") if grade[1]] == []
    cells = code_cells(graded / "grading" / "autograded" / "nobody" / path.stem / path.name)
    errors = {cell.id: output.ename for cell in cells for output in cell.outputs if output.output_type == "error"}
    assert errors and {cell: error for cell, error in errors.items() if error != "NotImplementedError"} == {}
    shown = [o.traceback for c in cells if c.id.endswith("-check") for o in c.outputs if o.output_type == "error"]
    assert shown and all(len(lines) == 1 and "is not written yet" in lines[0] for lines in shown)


@pytest.mark.parametrize("end", ["_", "_/", "/"])
@pytest.mark.parametrize("student", ["Ann Lee_123", "王五_77", "Jean-Luc O'Neil_9"])
def test_what_moodle_packs_is_collected(student, end):
    config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
    found = FileNameCollectorPlugin(config=config).collect(
        f"/extracted/{student}_assignsubmission_file{end}01_attention.ipynb"
    )
    assert found == {"student_id": student, "file_id": "01_attention"}
