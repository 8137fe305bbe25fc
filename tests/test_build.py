"""One source becomes three notebooks. The oracle is a sample lesson whose notebooks are known cell by cell."""

import re
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import nbformat
import pytest

import build
import execute
import lecture
import lesson

SOURCE = '''\
# %% [markdown]
"""
# 02 · A sample

It takes {{seconds}} seconds.
"""

# %%
print("before")

# %% [markdown]
# ## 2.1 Turn `x` by $a$

# %% tags=["setup"]
two = 1 + 1

# %% exercise="apply_rope" tags=["nbval-ignore-output"]
with using(apply_rope):
    two + 1

# %% id="named"
print("after")

# %% exercise="02_frequency"

# %% exercise="02_broken"
'''


def fake(name: str, kind: str, **more) -> SimpleNamespace:
    """An exercise as minqwen.check describes one, without its engine."""
    common = dict(
        lesson="02_sample",
        title=f"On {name}",
        statement="Do it.",
        why="Because.",
        points=3,
        minutes=10,
        difficulty=2,
        setup="",
        tests=(),
    )
    return SimpleNamespace(**common | more, name=name, kind=kind)


EXERCISES = {
    "apply_rope": fake(
        "apply_rope",
        "implement",
        number="2.1",
        home="minqwen.model.rope:apply_rope",
        tests=("one",),
        stub='def apply_rope(x, angles):\n    """The formula."""',
        solution="    turned_by_angles = x\n    return turned_by_angles",
        check_line="check(apply_rope)",
    ),
    "02_frequency": fake(
        "02_frequency",
        "explain",
        number="2.2",
        home=None,
        stub="# a number",
        solution="answer = 0.125",
        check_line='check(answer, "02_frequency")',
    ),
    "02_broken": fake(
        "02_broken",
        "bug",
        number="2.3",
        home=None,
        setup="def broken(x: Tensor):\n    return -x\n\n\nbroken(1)",
        stub="# Mend it.",
        solution='def fixed(x):\n    return x\n\n\ncause = "b"',
        check_line='check(fixed, "02_broken", cause=cause)',
    ),
}


def write_source(root: Path, text: str = SOURCE) -> None:
    (root / "notebooks" / "src").mkdir(parents=True, exist_ok=True)
    (root / "notebooks" / "src" / "02_sample.py").write_text(text, "utf-8")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course of one sample lesson, built, and its lecture marked as executed."""
    write_source(tmp_path)
    build.build(tmp_path, EXERCISES)
    notebook = read(tmp_path, "notebooks/02_sample.ipynb")
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"output {count}\n")]
    build.write(tmp_path / "notebooks" / "02_sample.ipynb", notebook)
    return tmp_path


def read(root: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(root / name, 4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.ipynb")}


def test_a_second_build_changes_no_byte(course, tmp_path_factory):
    before = files(course)
    build.build(course, EXERCISES)
    assert files(course) == before
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_source(elsewhere)
    build.build(elsewhere, EXERCISES)
    for name in ("solutions", "exercises"):
        path = f"{name}/02_sample/02_sample.ipynb"
        assert files(elsewhere)[path] == before[path]


def test_what_was_built_and_executed_has_no_problems(course):
    assert build.problems(course, EXERCISES) == []


def test_a_changed_source_makes_its_notebooks_stale(course):
    write_source(course, SOURCE.replace("two = 1 + 1", "two = 2"))
    found = " ".join(build.problems(course, EXERCISES))
    for name in ("notebooks/02_sample", "solutions/02_sample/02_sample", "exercises/02_sample/02_sample"):
        assert f"{name}.ipynb is stale: run python tools/build.py" in found


@pytest.mark.parametrize("name", ["notebooks", "solutions/02_sample", "exercises/02_sample"])
def test_a_notebook_changed_by_hand_is_stale(course, name):
    path = course / name / "02_sample.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[1].source += "  # by hand"
    nbformat.write(notebook, path)
    assert build.problems(course, EXERCISES) == [f"{name}/02_sample.ipynb is stale: run python tools/build.py"]


@pytest.mark.parametrize(("field", "value"), [("id", "x"), ("cell_type", "raw"), ("metadata", {"tags": ["x"]})])
def test_a_lecture_whose_ids_kinds_or_tags_were_changed_is_stale(course, field, value):
    notebook = read(course, "notebooks/02_sample.ipynb")
    notebook.cells[0][field] = value
    nbformat.write(notebook, course / "notebooks" / "02_sample.ipynb")
    assert build.problems(course, EXERCISES) == ["notebooks/02_sample.ipynb is stale: run python tools/build.py"]


def test_tags_go_through_to_the_notebooks(course):
    def tags(name):
        return {cell.id: cell.metadata.tags for cell in read(course, name).cells if "tags" in cell.metadata}

    use = {"apply_rope-use": ["nbval-ignore-output"]}
    (setup,) = (
        cell.id for cell in code_cells(read(course, "notebooks/02_sample.ipynb")) if cell.source == "two = 1 + 1"
    )
    assert tags("notebooks/02_sample.ipynb") == use | {setup: ["setup"]}
    assert tags("solutions/02_sample/02_sample.ipynb") == tags("exercises/02_sample/02_sample.ipynb") == use


def test_other_outputs_of_a_lecture_are_no_drift(course):
    notebook = read(course, "notebooks/02_sample.ipynb")
    code_cells(notebook)[0].outputs = []
    nbformat.write(notebook, course / "notebooks" / "02_sample.ipynb")
    assert build.problems(course, EXERCISES) == []


def test_a_lecture_that_was_never_executed_is_named(tmp_path):
    write_source(tmp_path)
    build.build(tmp_path, EXERCISES)
    (problem,) = build.problems(tmp_path, EXERCISES)
    assert problem == "notebooks/02_sample.ipynb has 4 cells that were never executed: run python tools/build.py run 02"


@pytest.mark.parametrize("folder", ["notebooks", "solutions/03_gone", "exercises/03_gone"])
def test_a_notebook_without_a_source_is_named(course, folder):
    build.write(course / folder / "03_gone.ipynb", lesson.notebook([]))
    (problem,) = build.problems(course, EXERCISES)
    assert problem == f"{folder}/03_gone.ipynb has no source: delete it, or write notebooks/src/"


def test_a_changed_cell_loses_its_output_and_leaves_the_others_theirs(course):
    write_source(course, SOURCE.replace('print("after")', "print()").replace("# %% tags", "# %%\n1\n\n# %% tags"))
    build.build(course, EXERCISES)
    outputs = {c.source: c.execution_count for c in code_cells(read(course, "notebooks/02_sample.ipynb"))}
    assert outputs['print("before")'] == 1 and outputs["two = 1 + 1"] == 2
    assert outputs["print()"] is None and outputs["1"] is None


def test_a_named_cell_keeps_its_name(course):
    assert (
        next(c.source for c in read(course, "notebooks/02_sample.ipynb").cells if c.id == "named") == 'print("after")'
    )


def test_a_stored_output_loses_its_control_and_keeps_its_picture():
    data = {execute.WIDGET: {"model_id": "x"}, "text/plain": "VBox()", "image/png": "aaaa"}
    output = nbformat.v4.new_output("display_data", data)
    assert set(execute.clean(output, Path("/course")).data) == {"text/plain", "image/png"}


def test_the_lecture_sends_to_the_exercise_and_works_on_without_it(course):
    cells = read(course, "notebooks/02_sample.ipynb").cells
    text, use = (next(cell for cell in cells if cell.id == name) for name in ("apply_rope", "apply_rope-use"))
    assert "### ✎ Exercise 2.1 On apply_rope" in text.source and "Difficulty ●●○○○ · 10 minutes" in text.source
    assert "](../my/02_sample/02_sample.ipynb#2.1-On-apply_rope)" in text.source
    assert "torch.cat([first * cos - second * sin" in text.source, "the library's source is folded in"
    assert use.source.startswith("from minqwen.model.rope import apply_rope")
    assert use.source.endswith("with using(apply_rope):\n    two + 1")


def test_the_lecture_asks_the_question_and_shows_the_broken_code(course):
    bug = next(cell for cell in read(course, "notebooks/02_sample.ipynb").cells if cell.id == "02_broken").source
    asked, folded = bug.split("<details>")
    assert "Do it." in asked and "return -x" in asked and 'cause = "b"' in folded and 'cause = "b"' not in asked


def test_the_student_gets_stubs_checks_and_what_the_cells_need(course):
    sources = {cell.id: cell.source for cell in read(course, "exercises/02_sample/02_sample.ipynb").cells}
    assert "3 exercises, 9 points, about 30 minutes" in sources["title"]
    assert "two = 1 + 1" in sources.values(), "a setup cell of the lecture comes along"
    link = 'lesson section ["Turn x by a"](../../notebooks/02_sample.ipynb#2.1-Turn-x-by-a)'
    assert sources["apply_rope-text"].endswith(link)
    assert "A red\nAssertionError only means *not yet*" in sources["title"] and "`x.mT` exchanges" in sources["title"]
    stub = 'def apply_rope(x, angles):\n    """The formula."""\n    raise NotImplementedError('
    assert sources["apply_rope"].startswith(stub) and "turned_by_angles" not in sources["apply_rope"]
    assert sources["apply_rope-check"] == 'assert check(apply_rope), "not yet: the report above says why"'
    assert sources["apply_rope-use"] == "with using(apply_rope):\n    two + 1"
    assert sources["02_frequency"].startswith("answer = ...\n# a number\nraise NotImplementedError(")
    assert sources["02_broken"].startswith("fixed = cause = ...\n# Mend it.\nraise NotImplementedError(")


def test_the_teacher_keeps_the_solution_and_a_check_with_another_seed(course):
    sources = {cell.id: cell.source for cell in read(course, "solutions/02_sample/02_sample.ipynb").cells}
    assert "    turned_by_angles = x\n    return turned_by_angles\n    ### END SOLUTION" in sources["apply_rope"]
    seen, again = sources["apply_rope-check"].split("\n### BEGIN HIDDEN TESTS\n")
    assert seen.startswith("assert check(apply_rope), ") and "assert check(apply_rope, seed=" in again


@pytest.mark.parametrize("name", ["solutions", "exercises"])
def test_the_checks_give_the_points_that_the_exercises_state(name, course):
    cells = code_cells(read(course, f"{name}/02_sample/02_sample.ipynb"))
    assert [cell.metadata.nbgrader.points for cell in cells if cell.id.endswith("-check")] == [3, 3, 3]


def test_equal_cells_of_one_section_get_different_ids(tmp_path):
    write_source(tmp_path, SOURCE + "\n# %%\nx\n\n# %%\nx\n")
    ids = [cell.id for cell in lesson.read(tmp_path / "notebooks" / "src" / "02_sample.py").cells]
    assert len(set(ids)) == len(ids) and ids[-1] == ids[-2] + "-2"


@pytest.mark.parametrize(
    ("text", "section"),
    [
        pytest.param("## 2.2 Bend\n\nProse.", "2.2 Bend", id="at the top of a cell"),
        pytest.param("So it turns.\n\n## 2.2 Bend `x`\n\nProse.", "2.2 Bend x", id="in the middle of a cell"),
        pytest.param("## 2.2 Bend\n\nProse.\n\n## 2.3 Break", "2.3 Break", id="the second of a cell"),
        pytest.param("### Aside", "2.1 Turn x by a", id="a heading below it is no section"),
        pytest.param("No heading.", "2.1 Turn x by a", id="further up"),
    ],
)
def test_an_exercise_belongs_to_the_last_section_above_it(text, section, tmp_path):
    write_source(
        tmp_path, SOURCE.replace('# %% exercise="02_f', f'# %% [markdown]\n"""\n{text}\n"""\n\n# %% exercise="02_f')
    )
    source = lesson.read(tmp_path / "notebooks" / "src" / "02_sample.py")
    assert source.title == "02 · A sample" and source.exercises[1].section == section


def test_an_exercise_without_a_cell_is_refused(tmp_path):
    write_source(tmp_path, SOURCE.replace('# %% exercise="02_broken"\n', ""))
    with pytest.raises(ValueError, match=r'02_broken; write one cell `# %% exercise="..."`'):
        build.build(tmp_path, EXERCISES)


def test_an_answer_in_plain_sight_is_refused(tmp_path):
    write_source(tmp_path, SOURCE + "answer = 0.125\n")
    with pytest.raises(ValueError, match=r"02_broken would show its answer; .* a cell of its own"):
        build.build(tmp_path, EXERCISES)


def test_a_source_without_a_title_is_refused(tmp_path):
    write_source(tmp_path, "# %%\n1\n")
    with pytest.raises(ValueError, match="make its first cell Markdown that starts with '# '"):
        build.build(tmp_path, {})


def test_a_run_stores_what_reads_without_a_kernel_and_names_no_machine(tmp_path):
    code = """
        import sys, ipywidgets, pathlib
        print(pathlib.Path("x").resolve())
        print("50 %", file=sys.stderr)
        display(ipywidgets.IntSlider())
        1 / 0
    """
    cells = [lesson.code("\n".join(line.strip() for line in code.strip().splitlines()), "a", ("raises-exception",))]
    notebook = lesson.notebook([lesson.markdown("text", "t"), *cells])
    (tmp_path / "notebooks").mkdir()
    seconds = execute.run(notebook, tmp_path / "notebooks")
    assert seconds[0] == 0 and notebook.metadata.minqwen.seconds in (5, 10)
    (cell,) = code_cells(notebook)
    assert cell.execution_count == 1 and set(notebook.metadata) == {"kernelspec", "language_info", "minqwen"}
    shown, error = cell.outputs
    assert shown.text == f"{Path('notebooks', 'x')}\n" and error.ename == "ZeroDivisionError"
    assert tmp_path.as_posix() not in re.sub(r"\\+", "/", nbformat.writes(notebook))


@pytest.mark.parametrize(
    ("home", "text", "shown"),
    [
        (PurePosixPath("/users/ann"), "/users/ann/course/my/x and /users/ann/y", "my/x and ~/y"),
        (PureWindowsPath(r"C:\users\ann"), r"C:\users\ann\course\my\x and C:\users\ann\y", r"my\x and ~\y"),
        (PureWindowsPath(r"C:\users\ann"), r"'C:\\users\\ann\\course\\x' C:/users/ann/course/y", "'x' y"),
    ],
    ids=["Linux", "Windows", "Windows in a repr, or with slashes"],
)
def test_the_folders_of_a_user_are_hidden(home, text, shown, monkeypatch):
    monkeypatch.setattr(execute.Path, "home", lambda: home)
    assert execute.hide_paths(text, home / "course") == shown


@pytest.mark.parametrize("folder", [sys.prefix, sys.base_prefix], ids=["prefix", "base_prefix"])
def test_the_folders_of_python_are_hidden(folder):
    assert execute.hide_paths(f"{Path(folder, 'lib', 'torch.py')}", Path("/course")) == str(Path("lib", "torch.py"))


def test_the_seconds_of_cells_for_the_real_model_are_not_on_the_card(tmp_path):
    slow = lesson.code("import time\ntime.sleep(5.1)", "a", ("real",))
    notebook = lesson.notebook([lesson.code("1", "b"), slow])
    (tmp_path / "notebooks").mkdir()
    seconds = execute.run(notebook, tmp_path / "notebooks")
    assert sum(seconds) > 5 and notebook.metadata.minqwen.seconds == 5


def test_the_card_states_the_seconds_of_the_last_run(course):
    source = lesson.read(course / "notebooks" / "src" / "02_sample.py")
    assert "It takes ? seconds." in read(course, "notebooks/02_sample.ipynb").cells[0].source
    old = read(course, "notebooks/02_sample.ipynb")
    old.metadata["minqwen"] = {"seconds": 35}
    built = lecture.render(source, EXERCISES, old)
    assert "It takes 35 seconds." in built.cells[0].source and built.metadata.minqwen.seconds == 35
