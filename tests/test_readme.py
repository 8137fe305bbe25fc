"""The front pages keep their word. The oracle is the checkout: its files, its commands, its library."""

import doctest
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps import NbGraderApp

from minqwen import show

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "TEACHING.md", "LOG.md", "CHANGELOG.md"]
every_page = pytest.mark.parametrize("page", PAGES)


def test_the_python_on_the_first_page_prints_what_it_says():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks and all(block.startswith(">>> ") for block in blocks)
    shared = {}
    for block in blocks:
        example = doctest.DocTestParser().get_doctest(block, shared, "README.md", "README.md", 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        told = []
        assert runner.run(example, out=told.append, clear_globs=False).failed == 0, "".join(told)
        shared = example.globs


@every_page
def test_every_link_leads_to_a_file(page):
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


@every_page
def test_every_file_that_is_named_exists(page):
    text = (ROOT / page).read_text("utf-8")
    named = re.findall(r"`((?:[\w.]+/)+[\w.]*)`", text)
    assert [name for name in named if not (ROOT / name).exists() and not name.startswith(("my/", "grading/"))] == []


@every_page
def test_every_command_that_is_named_exists(page):
    text = (ROOT / page).read_text("utf-8")
    for words in re.findall(r"(?:python3|py) course\.py((?: (?!#)[\w-]+)*)", text):
        shown = subprocess.run(
            [sys.executable, ROOT / "course.py", *words.split(), "--help"], capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, words
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"`make (\w+)", text)) <= set(targets)


def test_what_teachers_type_exists():
    text = (ROOT / "TEACHING.md").read_text("utf-8")
    commands = re.findall(r"(?:^|`)nbgrader (\w+)([^`#\n]*)", text, re.MULTILINE)
    assert {"generate_assignment", "zip_collect", "autograde", "generate_feedback"} <= {name for name, _ in commands}
    for name, rest in commands:
        app = NbGraderApp.subcommands[name][0]
        assert set(re.findall(r"--(\w+)", rest)) <= {*app.flags, *app.aliases}
    assert all((ROOT / "exercises" / lesson).exists() for lesson in re.findall(r"\b\d\d_\w+", text))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert re.findall(r'"\.\[(\w+)\]"', text) == ["teach"] and "teach" in extras
    assert "\nTEACHERS_SEED = " in (ROOT / "tools" / "assignment.py").read_text("utf-8")


def test_the_options_that_are_named_exist():
    shown = subprocess.run([sys.executable, ROOT / "course.py", "--help"], capture_output=True, text=True, check=True)
    assert set(re.findall(r"`(--[\w-]+)", README)) <= set(re.findall(r"--[\w-]+", shown.stdout))


def test_the_table_links_the_lessons_that_exist_and_lists_all_seventeen():
    rows = re.findall(r"^\| (\d\d) \| (.*?) \| (.*?) \|$", README, re.MULTILINE)
    assert [number for number, _, _ in rows] == [f"{number:02}" for number in range(17)]
    linked = {match[1] for _, name, _ in rows if (match := re.search(r"\(notebooks/(\w+)\.ipynb\)", name))}
    assert linked == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert all(minutes.isdigit() == ("](" in name) for _, name, minutes in rows)


def test_the_stored_map_of_lesson_00_shows_the_lessons_of_the_table():
    cells = nbformat.read(ROOT / "notebooks" / "00_start.ipynb", 4).cells
    [output] = next(cell.outputs for cell in cells if cell.id == "course-map")
    now = show.course_map(show.lessons(README)).figure.alt
    assert output.metadata["image/png"]["alt"] == now, "run python tools/build.py run 00"


def test_the_minutes_are_those_on_the_lessons_card():
    for name, minutes in re.findall(r"\(notebooks/(\w+)\.ipynb\) \| (\d+) \|", README):
        card = (ROOT / "notebooks" / "src" / f"{name}.py").read_text("utf-8")
        assert f"about {minutes} minutes to learn" in card


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps no execute bit")
def test_continuous_integration_calls_the_test_command_of_the_first_page():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK) and "python3 course.py test" in script.read_text("utf-8")
    assert "python3 course.py test" in README
