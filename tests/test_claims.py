"""The ledger of claims: complete, and true of what stands in the lessons. Oracle: the report's table of contents."""

import re
import tomllib
from collections import Counter

import nbformat
import pytest

import build
import lesson
from minqwen import show

SOURCES = {path.stem[:2]: path for path in (build.ROOT / "notebooks" / "src").glob("*.py")}
ROWS = tomllib.loads((build.ROOT / "notebooks" / "src" / "claims.toml").read_text("utf-8"))["claims"]
WRITTEN = {number: {cell.id for cell in lesson.read(path).cells} for number, path in SOURCES.items()}
EXECUTED = {
    number: {
        cell.id
        for cell in nbformat.read(path.parents[1] / f"{path.stem}.ipynb", 4).cells
        if cell.cell_type == "code" and cell.execution_count
    }
    for number, path in SOURCES.items()
}
LESSONS = [f"{each.number:02}" for each in show.lessons((build.ROOT / "README.md").read_text("utf-8"))]
STATUSES = {"shown", "direction only", "no effect seen", "not testable here", "to come"}
SECTIONS = [
    "1",
    *(f"2.{n}" for n in range(1, 7)),
    "3.1.1",
    "3.1.2",
    "3.2.1",
    "3.2.2",
    "3.3",
    "3.4",
    "4.1",
    "4.2",
    "4.3",
]
SECTIONS += ["5.1", "5.2", *(f"6.{n}" for n in range(1, 6)), "A.1.1", "A.2.1", "A.2.2", "A.3"]
ITEMS = [f"Table {number}" for number in range(1, 18)] + [f"Figure {number}" for number in range(1, 6)]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['report']}: {row['claim'][:50]}")


@every_row
def test_a_row_is_complete(row):
    assert set(row) - {"item"} == {"claim", "report", "lesson", "cell", "status"}
    assert row["claim"][0].isupper() or row["claim"][0].isdigit()
    assert row["report"] in SECTIONS and row["lesson"] in LESSONS and row["status"] in STATUSES


@every_row
def test_a_row_is_to_come_as_long_as_its_lesson_is(row):
    assert (row["status"] == "to come") == (row["lesson"] not in SOURCES)


@every_row
def test_what_is_shown_names_a_cell_of_its_lesson_that_was_run(row):
    if row["status"] in ("shown", "direction only", "no effect seen"):
        assert row["cell"], "name the cell that shows it"
    if row["cell"]:
        assert row["cell"] in WRITTEN[row["lesson"]] & EXECUTED[row["lesson"]]


@every_row
def test_what_was_not_seen_is_said_so_where_it_was_looked_for(row):
    if row["status"] == "no effect seen":
        cells = nbformat.read(SOURCES[row["lesson"]].parents[1] / f"{SOURCES[row['lesson']].stem}.ipynb", 4).cells
        at = next(i for i, cell in enumerate(cells) if cell.id == row["cell"])
        said = [output.get("text", "") for output in cells[at].outputs]
        said += [cell.source for cell in cells[at + 1 : at + 2] if cell.cell_type == "markdown"]
        assert re.search("no effect seen|not seen at this size", " ".join(said))


def test_no_claim_stands_twice():
    assert [claim for claim, count in Counter(row["claim"] for row in ROWS).items() if count > 1] == []


def test_every_section_of_the_report_has_a_row_and_they_come_in_its_order():
    met = [row["report"] for row in ROWS]
    assert list(dict.fromkeys(met)) == SECTIONS and met == sorted(met, key=SECTIONS.index)


def test_every_table_and_figure_of_the_report_is_one_row():
    assert sorted(row["item"] for row in ROWS if "item" in row) == sorted(ITEMS)


def test_every_lesson_has_a_claim_to_show():
    assert {row["lesson"] for row in ROWS} == set(LESSONS)


def test_every_claim_is_decided():
    assert [row["claim"] for row in ROWS if row["status"] == "to come"] == []


def test_the_stored_ledger_of_lesson_16_shows_the_rows_of_the_file():
    cells = nbformat.read(build.ROOT / "notebooks" / "16_past_one_machine.ipynb", 4).cells
    [stored] = next(cell.outputs for cell in cells if cell.id == "ledger")
    now = show.ledger(show.claims((build.ROOT / "notebooks" / "src" / "claims.toml").read_text("utf-8")))
    assert stored.data["text/markdown"] == now.data, "run python tools/build.py run 16"
