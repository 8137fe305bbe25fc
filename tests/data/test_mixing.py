"""How often a document comes. Oracles: whole weights counted by hand, the law of large numbers for the others."""

from collections import Counter

import pytest

from minqwen.data import mixing


def test_whole_weights_repeat_and_zero_drops():
    sources = ["web", "books", "code", "web"]
    assert mixing.up_sample(sources, {"books": 3, "code": 0}) == [0, 1, 1, 1, 3]


def test_a_broken_weight_is_met_on_average_and_never_by_more_than_one():
    counts = Counter(mixing.up_sample(["books"] * 2000, {"books": 2.3}, seed=1))
    assert set(counts.values()) == {2, 3}
    assert counts.total() == pytest.approx(2.3 * 2000, abs=4 * (2000 * 0.3 * 0.7) ** 0.5)
    kept = mixing.up_sample(["web"] * 2000, {"web": 0.25}, seed=1)
    assert len(set(kept)) == len(kept) == pytest.approx(500, abs=4 * (2000 * 0.25 * 0.75) ** 0.5)


def test_a_seed_decides():
    sources = ["books"] * 50
    chosen = [mixing.up_sample(sources, {"books": 0.5}, seed) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_instructions_are_the_share_of_all_characters():
    documents, instructions = ["d" * 90] * 100, [f"i{n}" * 5 for n in range(10, 30)]
    mixed = mixing.mix_instructions(documents, instructions, share=0.1)
    characters = sum(len(text) for text in mixed if text[0] == "i")
    assert characters / sum(map(len, mixed)) == pytest.approx(0.1, abs=0.002)
    assert Counter(mixed)["d" * 90] == 100
    counts = [Counter(mixed)[text] for text in instructions]
    assert max(counts) - min(counts) <= 1, "all equally often"


def test_they_are_shuffled_by_the_seed_and_the_arguments_stay_as_they_are():
    documents, instructions = [f"d{n}" for n in range(50)], [f"i{n}" for n in range(50)]
    first, again, other = (mixing.mix_instructions(documents, instructions, 0.4, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert any(text[0] == "i" for text in first[:20]) and any(text[0] == "d" for text in first[-20:])
    assert documents == [f"d{n}" for n in range(50)] and instructions == [f"i{n}" for n in range(50)]


def test_nothing_is_mixed_in_with_a_share_of_zero():
    assert sorted(mixing.mix_instructions(["b", "a"], [], 0.0)) == ["a", "b"]


def test_what_cannot_be_mixed_is_told_why():
    with pytest.raises(ValueError, match=r"such as 0\.05"):
        mixing.mix_instructions(["a"], ["b"], 1.0)
    for nothing in ([], [""]):
        with pytest.raises(ValueError, match="give some, or share=0"):
            mixing.mix_instructions(["a"], nothing, 0.1)
    with pytest.raises(ValueError, match="0 leaves a source out"):
        mixing.up_sample(["web"], {"web": -1})
