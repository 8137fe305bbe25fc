"""Drills in copying. Oracle: the lists, read back by their separators."""

import random
import re
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
def test_what_is_found_stands_behind_what_is_asked(seed):
    (listed, said), *rest = copying.found(WORDS, random.Random(seed))
    assert not said
    pairs = dict(
        re.fullmatch(r"(?:Finds the|Gives the|The) (\w+)\. (\w+)", line).groups() for line in listed.splitlines()
    )
    assert 2 <= len(pairs) <= 6
    asked = {
        ask.removeprefix("I need the ").removesuffix("."): answer
        for (ask, _), (answer, _) in zip(rest[::2], rest[1::2])
    }
    assert asked == {key: f" {named}\n" for key, named in pairs.items()}
    assert [learned for _, learned in rest] == [False, True] * len(pairs)


def test_what_is_asked_comes_in_any_order():
    orders = Counter()
    for seed in range(60):
        (listed, _), *rest = copying.found(WORDS, random.Random(seed))
        orders[rest[1][0].strip() == listed.splitlines()[0].rpartition(" ")[2]] += 1
    assert min(orders.values()) > 10


def test_names_have_one_to_three_words_and_none_twice():
    rng = random.Random(0)
    names = [copying.name(WORDS, rng).split("_") for _ in range(300)]
    assert {len(each) for each in names} == {1, 2, 3}
    assert all(len(set(each)) == len(each) for each in names)
