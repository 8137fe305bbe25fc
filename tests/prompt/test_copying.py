"""Drills in copying. Oracle: the lists, read back by their separators."""

import random
from collections import Counter

import pytest

from minqwen.prompt import copying

WORDS = ("moon", "king", "sea", "age", "ring", "star", "owner")


@pytest.mark.parametrize("seed", range(30))
def test_a_list_comes_again_and_only_then_is_it_learned(seed):
    (first, said), (second, learned) = copying.again(WORDS, random.Random(seed))
    assert first == second and not said and learned
    separator = next(each for each in (", ", "; ", "\n", " ") if each in first.strip())
    listed = first.rstrip("\n").split(separator)
    assert 2 <= len(listed) <= 10
    assert all(part in WORDS for each in listed for part in each.split("_"))


@pytest.mark.parametrize("seed", range(30))
def test_what_is_found_stands_beside_what_is_asked(seed):
    listed, *rest = copying.found(WORDS, random.Random(seed))
    assert not listed[1]
    pairs = [line.split(": ") for line in listed[0].splitlines()]
    assert 2 <= len(pairs) <= 6 and len(rest) == 2 * min(len(pairs), 3)
    for (ask, said), (answer, learned) in zip(rest[::2], rest[1::2]):
        assert not said and learned
        key = next(word for word in WORDS if word in ask)
        assert sorted([key, answer.strip()]) in [sorted(pair) for pair in pairs]


def test_each_key_is_asked_once_and_both_orders_of_a_line_come():
    orders = Counter()
    for seed in range(60):
        listed, *rest = copying.found(WORDS, random.Random(seed))
        assert len({ask for ask, _ in rest[::2]}) == len(rest) // 2
        orders[rest[1][0].strip() in [line.split(": ")[0] for line in listed[0].splitlines()]] += 1
    assert min(orders.values()) > 15


def test_names_have_one_to_three_words_and_none_twice():
    rng = random.Random(0)
    names = [copying.name(WORDS, rng).split("_") for _ in range(300)]
    assert {len(each) for each in names} == {1, 2, 3}
    assert all(len(set(each)) == len(each) for each in names)
