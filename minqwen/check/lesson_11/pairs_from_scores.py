"""Exercise 11.1, pairs from scores. Qwen Technical Report (arXiv:2309.16609), section 3.2.1."""

import itertools
from functools import partial

import torch

from minqwen.align import preference
from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test


def _by_combinations(scores: list) -> set[tuple[int, int]]:
    """Every two places, asked both ways."""
    pairs = itertools.permutations(range(len(scores)), 2)
    return {(i, j) for i, j in pairs if None not in (scores[i], scores[j]) and scores[i] > scores[j]}


def _case(scores: list, note: str = "") -> Case:
    return Case({"scores": scores}, _by_combinations(scores), note)


def _different(rng: torch.Generator, n: int) -> list[int]:
    """n different scores from 1 to 5."""
    return (torch.randperm(5, generator=rng)[:n] + 1).tolist()


def _two(rng: torch.Generator) -> list[Case]:
    low, high = sorted(_different(rng, 2))
    return [_case([low, high], "the second answer is better"), _case([high, low], "the first one is")]


def _ties(rng: torch.Generator) -> list[Case]:
    a, b = _different(rng, 2)
    return [_case([a, a], "a tie alone"), _case([a, b, a, b], "two ties, four pairs")]


def _unjudged(rng: torch.Generator) -> list[Case]:
    a, b = _different(rng, 2)
    return [
        _case([a, None, b], "the answer in the middle was not judged"),
        _case([None, a], "one judged answer has nothing beside it"),
    ]


def _all_of_them(rng: torch.Generator) -> list[Case]:
    return [_case(_different(rng, 4), "four scores make six pairs"), _case([], "no answer")]


def _below_zero(rng: torch.Generator) -> list[Case]:
    a, b, c = _different(rng, 3)
    return [
        _case([a - b, 0, c - a, a], "scores may be 0 and below"),
        _case([a / 10 + 1, b / 10 + 1], "and fractions"),
    ]


_wrong = partial(parts.mistake, preference.pairs_from_scores)

EXERCISE = exercise.Implement(
    name="pairs_from_scores",
    lesson="11_preferences",
    number="11.1",
    title="Pairs from scores",
    library=preference.pairs_from_scores,
    also_closed=(_by_combinations, preference.comparisons),
    imports="from collections.abc import Sequence",
    statement="""\
People gave scores to several answers to one question. Write `pairs_from_scores(scores)`, which says which answer is
better than which.

- `scores` is a list of numbers, one an answer; more is better. `None` means that nobody judged this answer.
- The result is a **set** of tuples `(better, worse)` of places in the list, from 0: one for every two answers of which
  one scored more, not only for neighbours.
- Equal scores give no pair. An answer without a score is in no pair.

For example, `[3, 5, None, 3]` gives `{(1, 0), (1, 3)}`: answer 1 beats both others, which tie.
""",
    why="One look at four answers gives up to six comparisons: that is why the report asks for scores.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "How many pairs do four different scores make? And 4, 4, 2, 2?",
        "A list of n scores goes in; a set of at most n·(n − 1)/2 tuples comes out.",
        "for every place i and every place j: if both have a score and that of i is larger, (i, j) is a pair.",
        "A set comprehension with two loops over enumerate(scores) and one condition.",
    ),
    tests=(
        Test("of two answers the better one stands first", _two),
        Test("a tie is no pair", _ties),
        Test("an answer without a score is in no pair", _unjudged),
        Test("all pairs are there, not only neighbours", _all_of_them),
        Test("any numbers are scores", _below_zero),
    ),
    wrong_answers={
        "worse_first": _wrong("the worse answer stands first; put the better one there.", ("a > b", "a < b")),
        "ties_kept": _wrong("equal scores give pairs, both ways; a tie says nothing.", ("a > b", "a >= b and i != j")),
        "only_forward": _wrong(
            "only pairs whose better answer comes first are found; the order of the answers means nothing.",
            ("a > b", "a > b and i < j"),
        ),
        "neighbours": _wrong(
            "only neighbours are compared; every two answers are.", ("a > b", "a > b and abs(i - j) == 1")
        ),
        "order_alone": _wrong(
            "the first of two is taken for the better one; the scores say which is.", ("a > b", "a != b and i < j")
        ),
        "scores_themselves": _wrong(
            "the pairs hold scores; they shall hold the places of the answers.", ("(i, j) for", "(a, b) for")
        ),
        "from_one": _wrong("places are counted from 1; count from 0.", ("(i, j) for", "(i + 1, j + 1) for")),
        "by_index": _wrong(
            "scores.index finds the first of equal scores, so others have no pair; take places from enumerate.",
            ("(i, j) for", "(scores.index(a), scores.index(b)) for"),
        ),
        "next_in_rank": _wrong(
            "an answer is only compared with the next one in rank; every two answers are.",
            ("a > b", "a > b and not any(a > c > b or (c == a and k > i) or (c == b and k < j) for k, c in judged)"),
        ),
        "whole_numbers": _wrong("fractions are cut off; 1.2 is more than 1.1.", ("a > b", "int(a) > int(b)")),
        "best_and_worst": _wrong(
            "only the best and the worst answer make a pair; every two answers do.",
            ("a > b", "a > b and i == max(judged, key=lambda p: p[1])[0] and j == min(judged, key=lambda p: p[1])[0]"),
        ),
        "first_against_all": _wrong(
            "one answer is compared with the others, but they also differ from each other.",
            ("a > b", "a > b and 0 in (i, j)"),
        ),
        "best_against_all": _wrong(
            "only the best answer is compared; the others also differ from each other.",
            ("a > b", "a > b and a == max(s for _, s in judged)"),
        ),
        "places_shift": _wrong(
            "places are counted among judged answers; count them in the whole list.",
            (
                "[(at, score) for at, score in enumerate(scores) if score is not None]",
                "[*enumerate(score for score in scores if score is not None)]",
            ),
        ),
        "none_is_zero": _wrong(
            "an answer without a score counts as the worst; it is in no pair.",
            (
                "[(at, score) for at, score in enumerate(scores) if score is not None]",
                "[(at, score or 0) for at, score in enumerate(scores)]",
            ),
        ),
        "zero_is_none": _wrong(
            "a score of 0 counts as no score; only None does.", ("if score is not None", "if score")
        ),
    },
)
