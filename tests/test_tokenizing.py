"""The tokenizer's benchmarks at a toy size: they run and both sides agree. Times are never asserted."""

import pytest

import tokenizing
from harness import Row, Table


def row(table: Table, words: str) -> Row:
    return next(r for r in table.rows if words in r.what)


def test_both_trainers_find_mostly_the_same_tokens():
    table = tokenizing.training(size=20_000, n_merges=97, rounds=1)
    assert row(table, "in common").ours[0] > 0.95
    assert "97 merges" in table.settings[0]
    assert table.markdown().startswith("| | ours | tokenizers |")


def test_the_stand_ins_of_gpt_2_are_read_as_bytes():
    assert tokenizing.in_bytes("Ġaĉ¡") == b" a\t\xa1"


def test_the_educational_trainer_runs_beside_ours():
    assert len(tokenizing.teaching(size=3_000, n_merges=5, rounds=1).rows[0].peer) == 1


def test_both_sides_encode_to_the_same_ids():
    table = tokenizing.encoding(rounds=1, size=5_003)
    assert [r.ours for r in table.rows if "equal ids" in r.what] == [[1.0]] * 3


def test_growth_is_the_ratio_of_the_two_times():
    table = tokenizing.long_words(few=101, rounds=3)
    few, many, growth = (r.ours for r in table.rows)
    assert growth == pytest.approx([b / a for a, b in zip(few, many)])


def test_loading_is_timed_beside_tiktoken():
    assert all(seconds > 0 for seconds in row(tokenizing.loading(rounds=1), "loading").peer)


def test_an_unknown_table_is_refused_with_the_names_of_all():
    with pytest.raises(SystemExit, match=f"there are {', '.join(tokenizing.TITLES)}"):
        tokenizing.main(["speed"])
