"""The cleaning pipeline's benchmarks at a toy size: they run, and their shares are shares. Times are never asserted."""

import sys

import pytest

import cleaning
from harness import Row, Table


def row(table: Table, words: str) -> Row:
    return next(r for r in table.rows if words in r.what)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc/self/clear_refs")
def test_memory_a_page_is_the_slope_between_two_runs():
    table = cleaning.memory(small=20, large=60)
    peaks = [row(table, f"Python and NumPy, {size} pages").ours[0] for size in (20, 60)]
    assert row(table, "Python and NumPy, a page more").ours == pytest.approx([1024 * (peaks[1] - peaks[0]) / 40])
    assert row(table, "compared").ours == [1.0, 1.0] and row(table, "no copy").ours == [0.8, 0.8]
    assert table.markdown().startswith("| | ours | no peer |")


def test_pages_are_made_one_at_a_time_and_some_are_copies():
    pages = list(cleaning.made(11))
    assert len({page.html for page in pages}) == 11 == len({page.url for page in pages})
    words = [set(page.html.split()) for page in pages]
    assert len(words[3] & words[4]) > 50 > 2 * len(words[2] & words[3])


def test_every_stage_is_timed():
    assert all(value > 0 for r in cleaning.stages(size=100, rounds=1).rows for value in r.ours)


def test_what_was_planted_is_found():
    table = cleaning.truth(size=200, seeds=1)
    assert next(r for r in table.rows if r.what == "leaks").ours == [1.0]
    assert row(table, "duplicates, precision").ours[0] > 0.9
    assert all(0 <= value <= 1 for r in table.rows for value in r.ours)
