"""The benchmark of deduplication at a toy size: it runs, and both sides agree. Times are never asserted.

Oracles: sets of shingles, and the other side.
"""

import pytest

import deduplication
from minqwen.data import dedup, minhash


def values(table, words):
    return [row.ours for row in table.rows if words in row.what]


def test_signatures_equal_those_of_datasketch():
    table = deduplication.signatures({30: 7}, rounds=1)
    assert values(table, "equal entries") == [[1.0], [1.0]]
    assert [row.what for row in table.rows if row.goal and row.goal.of == "ratio"] == [
        "30-word documents, affine32, SHA-1, from texts",
        "30-word documents, affine32, SHA-1, from sets",
    ]


def test_clusters_equal_those_of_a_loop_on_datasketch():
    table = deduplication.whole(count=20, length=60, rounds=1)
    assert values(table, "equal clusters") == [[1.0]] * 4


def test_rust_is_measured_from_three_starting_points():
    table = deduplication.signatures_in_rust({30: 7}, rounds=1)
    assert [row.what.rpartition(" ")[2] for row in table.rows] == ["texts", "sets", "hashes"]


def test_errors_are_near_those_of_theory():
    table = deduplication.accuracy(pairs=200, size=60, seeds=1)
    assert 0.8 < table.rows[0].ratio < 1.2


def test_a_fifth_of_the_pages_are_near_copies():
    texts = deduplication.documents(40, 300)
    mixed = deduplication.with_duplicates(texts)
    shingled = [minhash.shingle(text, 5) for text in mixed]
    close = [(i, j) for i in range(50) for j in range(i) if dedup.jaccard(shingled[i], shingled[j]) > 0.4]
    assert len(mixed) == 50 and len(close) == 10


def test_memory_is_that_of_a_process_of_its_own():
    assert deduplication.peak(50) > 20_000  # kB: Python and NumPy alone take it


def test_an_unknown_table_is_refused_with_the_names_of_all():
    with pytest.raises(SystemExit, match="there are signatures, signatures_in_rust"):
        deduplication.main(["speed"])
