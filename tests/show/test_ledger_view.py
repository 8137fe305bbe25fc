"""The ledger. Oracle: rows written by hand, and the file itself."""

import tomllib
from pathlib import Path

import pytest

from minqwen import show
from minqwen.show import ledger_view

TOML = """\
claims = [
    { claim = "A", report = "2.1", lesson = "07", cell = "a-cell", status = "shown" },
    { claim = "B", report = "2.3", item = "Table 1", lesson = "00", cell = "", status = "not testable here" },
    { claim = "C", report = "A.3", lesson = "15", cell = "", status = "no effect seen" },
]
"""
FILE = Path(show.__file__).parents[2] / "notebooks" / "src" / "claims.toml"


def test_a_line_for_every_claim_with_its_status():
    lines = show.ledger(show.claims(TOML)).data.splitlines()[2:]
    assert lines == [
        "| 2.1 | A | 07 | a cell | shown |",
        "| 2.3 Table 1 | B | 00 |  | not testable here |",
        "| A.3 | C | 15 |  | no effect seen |",
    ]


def test_every_row_of_the_file_is_in_it():
    found, rows = show.claims(FILE.read_text("utf-8")), tomllib.loads(FILE.read_text("utf-8"))["claims"]
    text = show.ledger(found).data
    assert len(found) == len(rows) and all(f"| {row['claim']} |" in text for row in rows)
    assert sum(sum(count.values()) for count in ledger_view.counts(found).values()) == len(rows)


def test_the_picture_counts_by_part_and_status():
    ax = show.ledger_plot(show.claims(TOML))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["pre-training", "appendix"]
    widths = {c.get_label(): [bar.get_width() for bar in c] for c in ax.containers}
    assert widths == {"shown (1)": [1, 0], "no effect seen (1)": [0, 1], "not testable here (1)": [1, 0]}
    assert "1 no effect seen" in ax.figure.alt and ax.get_title("left").startswith("Of 3 claims, 1 are shown")


def test_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="proved is not known; use one of shown, direction only"):
        show.claims(TOML.replace('"shown"', '"proved"'))
