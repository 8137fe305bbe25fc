"""The benchmark of fine-tuning at a toy size: both sides learn the same from the same, and the file has its tables."""

import re

import pytest
import torch

import aligning
import fine_tuning
from minqwen.align import sft

TOY = dict(vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, max_length=23)
DOCUMENTS = [[1] * 9 + [2] * 11 + [0] * 4, [3] * 20 + [0] * 4, [4] * 3 + [5] * 3 + [6] * 18]


@pytest.fixture
def windows(monkeypatch):
    """Three windows of one, two and three texts in place of the tasks, a third of their tokens learned."""
    generator = torch.Generator().manual_seed(0)
    ids, learned = torch.randint(61, (3, 24), generator=generator), torch.rand(3, 24, generator=generator) < 1 / 3
    made = sft.Windows(ids, learned, torch.tensor(DOCUMENTS))
    monkeypatch.setattr(fine_tuning, "conversations", lambda length, examples: made)
    return made


def test_both_sides_learn_the_same_from_the_same(windows):
    speeds, last, gap = fine_tuning.fine_tuning(TOY, batch_size=2, rounds=2, steps=3).rows
    assert len(speeds.ours) == len(speeds.peer) == 2 and min(speeds.ours + speeds.peer) > 0
    assert last.ratio == pytest.approx(1.0, abs=1e-5) and gap.ours[0] < 1e-5


def test_a_side_that_sees_other_texts_learns_something_else(windows, monkeypatch):
    one_text = windows._replace(documents=torch.ones(3, 24, dtype=torch.long))
    honest = fine_tuning.drawn
    monkeypatch.setattr(fine_tuning, "drawn", lambda _, *sizes: honest(one_text, *sizes))
    *_, gap = fine_tuning.fine_tuning(TOY, batch_size=2, rounds=2, steps=3).rows
    assert gap.ours[0] > 1e-3


def test_the_data_of_the_other_side_are_our_batches(windows):
    rows = fine_tuning.drawn(windows, batch_size=2, total=1)
    for row in rows:
        [n] = [i for i in range(3) if windows.ids[i, :-1].equal(row["input_ids"])]
        assert row["labels"].tolist() == [
            int(windows.ids[n, t]) if windows.learned[n, t] and DOCUMENTS[n][t] == DOCUMENTS[n][t - 1] else -100
            for t in range(1, 24)
        ]
        assert row["position_ids"].tolist() == [DOCUMENTS[n][:t].count(DOCUMENTS[n][t]) for t in range(23)]


def test_a_round_is_the_sum_of_its_steps_and_the_first_is_left_out():
    assert fine_tuning.by_round([9.0, 9.0, 1.0, 2.0, 3.0, 4.0], steps=2) == [3.0, 7.0]


def test_the_results_have_every_table_and_say_where_they_were_measured():
    head, *sections = aligning.RESULTS.read_text(encoding="utf-8").split("\n## ")
    assert re.search(r"\w+ on \S+( with [\w, -]+)?, \d+ cores; OMP_NUM_THREADS=1; Python \S+, torch \S+", head)
    for number, (section, (name, title)) in enumerate(zip(sections, aligning.TITLES.items(), strict=True), start=1):
        assert section.startswith(f"{number}. {title}\n\n`python benchmarks/aligning.py {name}`\n")
