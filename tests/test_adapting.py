"""The benchmark of adapters at a toy size: both sides learn the same and hold the same, and the file has its tables."""

import re

import pytest

import adapters
import adapting

TOY = dict(vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, max_length=23)


def test_both_sides_learn_the_same_with_their_adapters():
    speeds, last, gap = adapters.lora_step(TOY, batch_size=2, rounds=2, steps=3, rank=3).rows
    assert len(speeds.ours) == len(speeds.peer) == 2 and min(speeds.ours + speeds.peer) > 0
    assert last.ratio == pytest.approx(1.0, abs=1e-5) and gap.ours[0] < 1e-5


def test_a_side_with_another_a_learns_something_else(monkeypatch):
    monkeypatch.setattr(adapters, "copy_a", lambda models: None)
    *_, gap = adapters.lora_step(TOY, batch_size=2, rounds=2, steps=3, rank=3).rows
    assert gap.ours[0] > 1e-6


def test_both_sides_hold_the_same_bytes():
    unmade, made, equal, gap = adapters.four_bits((128, 192), rounds=2).rows
    assert min(unmade.ours + unmade.peer + made.ours + made.peer) > 0
    assert equal.ours[0] > 0.999 and gap.ours[0] < 0.6


def test_the_results_have_every_table_and_say_where_they_were_measured():
    head, *sections = adapting.RESULTS.read_text(encoding="utf-8").split("\n## ")
    assert re.search(r"\w+ on \S+( with [\w, -]+)?, \d+ cores; OMP_NUM_THREADS=1; Python \S+, torch \S+", head)
    for number, (section, (name, title)) in enumerate(zip(sections, adapting.TITLES.items(), strict=True), start=1):
        assert section.startswith(f"{number}. {title}\n\n`python benchmarks/adapting.py {name}`\n")
