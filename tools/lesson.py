"""One lesson source, read into cells: jupytext percent format plus exercise cells (format: see tools/build.py)."""

import hashlib
import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Cell:
    """A cell of a source: prose, code, or the place and the use of an exercise."""

    kind: str  # "markdown", "code" or "exercise"
    source: str
    id: str
    section: str  # the last "## " heading above it or in it, without its marks
    tags: tuple[str, ...] = ()
    exercise: str = ""


@dataclass(frozen=True)
class Lesson:
    """A source, cell by cell."""

    stem: str
    title: str
    cells: tuple[Cell, ...]

    @property
    def exercises(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "exercise"]


def read(path: Path) -> Lesson:
    """The lesson at `path`; a cell's id depends on its section and text only, so it survives what happens elsewhere."""
    cells: list[Cell] = []
    title, section, seen = "", "", Counter()
    for raw in jupytext.read(path, fmt="py:percent").cells:
        source = "\n".join(line.rstrip() for line in raw.source.strip("\n").split("\n"))
        if not cells and raw.cell_type == "markdown" and source.startswith("# "):
            title = section = plain(source.split("\n")[0].removeprefix("# "))
        headings = re.findall(r"^## (.+)", source, re.MULTILINE) if raw.cell_type == "markdown" else []
        section = plain(headings[-1]) if headings else section
        exercise = raw.metadata.get("exercise", "")
        kind = "exercise" if exercise else raw.cell_type
        key = exercise or raw.metadata.get("id") or _digest(section + "\n" + source)
        seen[key] += 1
        cell_id = key if seen[key] == 1 else f"{key}-{seen[key]}"
        cells.append(Cell(kind, source, cell_id, section, tuple(raw.metadata.get("tags", ())), exercise))
    if not title:
        raise ValueError(f"{path.name} does not begin with a title; make its first cell Markdown that starts with '# '")
    return Lesson(path.stem, title, tuple(cells))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def plain(heading: str) -> str:
    """The words of a heading, as they show: without code, emphasis and dollar marks."""
    return re.sub(r"[`*$]", "", heading).strip()


def anchor(heading: str) -> str:
    """The fragment that JupyterLab and GitHub give a heading of a notebook."""
    return "#" + urllib.parse.quote(heading.replace(" ", "-"))


def markdown(source: str, cell_id: str) -> nbformat.NotebookNode:
    """A Markdown cell with a fixed id."""
    return nbformat.v4.new_markdown_cell(source, id=cell_id)


def code(source: str, cell_id: str, tags: tuple[str, ...] = (), **metadata) -> nbformat.NotebookNode:
    """A code cell with a fixed id, not yet run."""
    return nbformat.v4.new_code_cell(source, id=cell_id, metadata=metadata | ({"tags": list(tags)} if tags else {}))


def notebook(cells: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    """A notebook of these cells with as little metadata as a reader needs."""
    return nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(KERNEL))


def facts(exercise) -> str:
    """Difficulty, minutes and points of an exercise, in one line."""
    dots = "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)
    points = "1 point" if exercise.points == 1 else f"{exercise.points} points"
    return f"Difficulty {dots} · {exercise.minutes} minutes · {points}"
