"""The benchmarks of flash attention at a toy size: they run, all sides agree, and RESULTS_FLASH.md has every table."""

import re

import pytest
import torch
from torch.testing import assert_close

import flash as benchmark  # benchmarks/flash.py
from harness import Row, Table

TABLES = {
    "naive": lambda: benchmark.naive((19, 23), 1),
    "fused": lambda: benchmark.fused_table((19, 23), 1),
    "memory": lambda: benchmark.memory((512, 1024), 1024),
    "fused_memory": lambda: benchmark.fused_memory((19, 23)),
    "blocks": lambda: benchmark.blocks((3, 5), 13, 1),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_measured(name):
    table = TABLES[name]()
    assert all(value > 0 for row in table.rows for value in row.ours + row.peer)
    assert table.rows[0].what.startswith("backward" if "memory" in name else "forward")


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("each", ["forward", "backward"])
def test_all_three_compute_the_same(each, causal):
    results = [
        benchmark.passes(attend, 37, causal, attend is benchmark.formula)[each]()
        for attend in (benchmark.ours, benchmark.formula, benchmark.fused)
    ]
    for other in results[1:]:
        assert_close(results[0], other, atol=1e-5, rtol=0)


def test_the_peak_is_what_was_held_at_one_time():
    def hold():
        a, b = torch.empty(1000), torch.empty(3000)
        del a
        return b, torch.empty(500)

    assert benchmark.peak(hold) == 4 * 4000


def row(table: Table, words: str) -> Row:
    return next(r for r in table.rows if words in r.what)


def test_the_extra_memory_of_tiles_grows_with_the_length_and_that_of_the_formula_with_its_square():
    table = benchmark.memory((2048, 4096), 4096)
    growth = row(table, "backward: growth")
    assert growth.ours[0] < 2.1 and growth.peer[0] > 3.9
    assert row(table, "backward, T = 4,096").reached


def test_the_results_have_every_table_and_say_where_they_were_measured():
    head, *sections = benchmark.RESULTS.read_text(encoding="utf-8").split("\n## ")
    assert re.search(r"\w+ on \S+( with [\w, -]+)?, \d+ cores; OMP_NUM_THREADS=1; Python \S+, torch \S+", head)
    for number, (section, (name, title)) in enumerate(zip(sections, benchmark.TITLES.items(), strict=True), start=1):
        assert section.startswith(f"{number}. {title}\n\n`python benchmarks/flash.py {name}`\n")


def test_an_unknown_table_is_refused_with_the_names_of_all():
    with pytest.raises(SystemExit, match=f"there are {', '.join(benchmark.TITLES)}"):
        benchmark.main(["speed"])
