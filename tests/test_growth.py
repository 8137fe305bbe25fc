"""The benchmarks of growth at a toy size: they run, exponents are right, and RESULTS_GROWTH.md has every table."""

import re

import pytest

import growth

TOY = {C: dict(vocab_size=61, d_model=C, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=C, max_length=16) for C in (8, 16)}
LONGER = {T: TOY[8] | {"max_length": T} for T in (8, 16)}
TABLES = {
    "sizes": lambda: growth.sizes(TOY, 3, 2),
    "context": lambda: growth.context(LONGER, 2),
    "width": lambda: growth.width(TOY, 2),
}


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 1.5])
def test_an_exponent_is_the_power_that_made_the_numbers(power):
    sizes = [3.0, 5.0, 11.0]
    assert growth.exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_measured(name, monkeypatch):
    monkeypatch.setattr(growth, "extra_memory", lambda side, shape, batch_size: shape["d_model"] ** 2.0)
    monkeypatch.setattr(growth, "in_fresh_process", lambda module, name, *arguments: getattr(growth, name)(*arguments))
    rows = TABLES[name]().rows
    assert all(len(row.ours) == len(row.peer) for row in rows)
    assert all(value > 0 for row in rows if "exponent" not in row.what for value in row.ours + row.peer)
    if name == "width":
        assert rows[-1].ours == pytest.approx([2.0])


def test_extra_memory_is_what_training_adds_to_the_imports(monkeypatch):
    peaks = {"train": 300.0, "import": 120.0}
    monkeypatch.setattr(growth, "in_fresh_process", lambda module, name, side, job, *rest: peaks[job])
    assert growth.extra_memory("ours", TOY[8], 2) == 180.0


def test_the_results_have_every_table_and_say_where_they_were_measured():
    head, *sections = growth.RESULTS.read_text(encoding="utf-8").split("\n## ")
    assert re.search(r"\w+ on \S+( with [\w, -]+)?, \d+ cores; OMP_NUM_THREADS=1; Python \S+, torch \S+", head)
    for number, (section, (name, title)) in enumerate(zip(sections, growth.TITLES.items(), strict=True), start=1):
        assert section.startswith(f"{number}. {title}\n\n`python benchmarks/growth.py {name}`\n")
