"""Exercise 6.1, which pair is the commonest? Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.tokenizer import bpe

Words = dict[tuple[int, ...], int]


def _counted(words: Words) -> dict[tuple[int, int], int]:
    """Write every word down as often as it occurs, and make a tally mark for each pair."""
    tally: dict[tuple[int, int], int] = {}
    for word in [word for word, times in words.items() for _ in range(times)]:
        for i in range(len(word) - 1):
            tally[word[i], word[i + 1]] = tally.get((word[i], word[i + 1]), 0) + 1
    return tally


def _case(words: Words, note: str = "") -> Case:
    return Case({"words": words}, _counted(words), note)


def _ids(rng: torch.Generator, n: int) -> list[int]:
    """n different ids."""
    return torch.randperm(400, generator=rng)[:n].tolist()


def _times(rng: torch.Generator) -> int:
    return int(torch.randint(2, 12, (1,), generator=rng))


def _once(rng: torch.Generator) -> list[Case]:
    a, b, c = _ids(rng, 3)
    return [_case({(a, b, c): 1}, "one word, once"), _case({(c, a): 1, (a, b, c): 1}, "two words, once each")]


def _weighted(rng: torch.Generator) -> list[Case]:
    a, b, c = _ids(rng, 3)
    return [_case({(a, b): _times(rng)}), _case({(a, b): _times(rng), (c, a, b): _times(rng)})]


def _repeated(rng: torch.Generator) -> list[Case]:
    a, b = _ids(rng, 2)
    return [_case({(a, b, a, b): 1}, "the same pair at two places of a word"), _case({(a, b, a, b): _times(rng)})]


def _overlaps(rng: torch.Generator) -> list[Case]:
    (a,) = _ids(rng, 1)
    return [_case({(a, a, a): 1}, "the middle one belongs to two pairs"), _case({(a, a, a, a): _times(rng)})]


def _order(rng: torch.Generator) -> list[Case]:
    a, b = _ids(rng, 2)
    return [_case({(a, b): 1, (b, a): _times(rng)})]


def _short(rng: torch.Generator) -> list[Case]:
    a, b = _ids(rng, 2)
    return [_case({(a,): _times(rng)}, "a word of one id has no pair"), _case({(a,): 1, (b, a): 1}), _case({})]


def _values(rng: torch.Generator) -> list[Case]:
    letters, words = torch.randint(0, 3, (11, 7), generator=rng).tolist(), {}
    for i, word in enumerate(letters):
        words[tuple(word[: 1 + i % 7])] = _times(rng)
    return [_case(words)]


_wrong = partial(parts.mistake, bpe.count_pairs)

EXERCISE = exercise.Implement(
    name="count_pairs",
    lesson="06_tokenizer",
    number="6.1",
    title="Which pair is the commonest?",
    library=bpe.count_pairs,
    also_closed=(_counted, bpe.learn_merges),
    in_model=True,
    imports=(
        "from collections import Counter\nfrom collections.abc import Mapping\nfrom itertools import pairwise\n\n"
        "Pair = tuple[int, int]"
    ),
    statement="""\
Write `count_pairs(words)`: how often each pair of neighbouring ids occurs in a text.

- `words` maps a word to how often the text has it. A word is a tuple of ids: `{(7, 8): 3, (9, 7, 8): 2}` is a text of
  five words. Only neighbours **inside a word** are a pair.
- The result maps each pair `(left, right)` to its count: a `Counter`, or an ordinary dict. A pair at two places of a
  word counts twice for each time that the word occurs; pairs may overlap, so (7, 7, 7) has two. A pair that does not
  occur is not in the result. `words` stays as it is.

For example, `{(7, 8): 3, (9, 7, 8): 2}` gives `{(7, 8): 5, (9, 7): 2}`.
""",
    why="It is the only thing that training a tokenizer looks at: the commonest pair becomes the next token.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "The word (7, 7, 8) occurs 10 times. Which pairs does it have, and how often are they in the text?",
        "From a dict {(id, id, ...): times} to a dict {(id, id): count}; a word of n ids has n - 1 pairs.",
        "for each word and its times: for each two neighbours: add times to their count.",
        "itertools.pairwise((7, 7, 8)) gives (7, 7) and (7, 8); a Counter begins every count at 0.",
    ),
    tests=(
        Test("the neighbours of a word are its pairs", _once),
        Test("a pair counts as often as its word occurs", _weighted),
        Test("a pair at two places of a word counts twice", _repeated),
        Test("pairs that overlap all count", _overlaps),
        Test("(a, b) and (b, a) are two pairs", _order),
        Test("a word of one id has no pair, and no word none at all", _short),
        Test("agrees with tally marks", _values),
    ),
    wrong_answers={
        "words_counted_once": _wrong(
            "each word counts once; it counts as often as it occurs, which its value says.",
            ("+= times", "+= 1"),
        ),
        "overwritten": _wrong(
            "a pair keeps the count of the last place that has it; add up all places.",
            ("counts[pair] += times", "counts[pair] = times"),
        ),
        "once_a_word": _wrong(
            "a pair at two places of a word counts once; each place counts.",
            ("pairwise(ids)", "set(pairwise(ids))"),
        ),
        "no_overlaps": _wrong(
            "the word is cut into pairs that do not overlap; every two neighbours are a pair.",
            ("pairwise(ids)", "zip(ids[::2], ids[1::2])"),
        ),
        "order_lost": _wrong(
            "(a, b) and (b, a) are counted as one; a pair has an order.",
            ("counts[pair]", "counts[min(pair), max(pair)]"),
        ),
        "backwards": _wrong(
            "the pairs are written backwards; the left one comes first.",
            ("counts[pair]", "counts[pair[::-1]]"),
        ),
        "around_the_end": _wrong(
            "the last id of a word and its first are counted as a pair; they are no neighbours.",
            ("pairwise(ids)", "zip(ids, ids[1:] + ids[:1])"),
        ),
        "first_pair_missing": _wrong("the first pair of each word is missing.", ("pairwise(ids)", "pairwise(ids[1:])")),
        "last_pair_missing": _wrong("the last pair of each word is missing.", ("pairwise(ids)", "pairwise(ids[:-1])")),
        "two_apart": _wrong(
            "ids that are two places apart are paired; a pair is two neighbours.",
            ("pairwise(ids)", "zip(ids, ids[2:])"),
        ),
        "times_the_length": _wrong(
            "the count is multiplied by the length of the word; a pair counts once for each place and each time.",
            ("+= times", "+= times * len(ids)"),
        ),
        "across_words": _wrong(
            "the last id of a word and the first of the next are counted as a pair; a pair lies inside a word.",
            ("in words.items()", "in [([i for word in words for i in word * words[word]], 1)]"),
        ),
        "any_two": _wrong(
            "any two ids of a word are paired; a pair is two neighbours.",
            ("pairwise(ids)", "((a, b) for i, a in enumerate(ids) for b in ids[i + 1 :])"),
        ),
        "equal_left_out": _wrong(
            "two equal neighbours are left out; they are a pair like any other.",
            ("pairwise(ids)", "[pair for pair in pairwise(ids) if pair[0] != pair[1]]"),
        ),
        "sorted": _wrong(
            "the ids of each word are sorted first; keep their order.", ("pairwise(ids)", "pairwise(sorted(ids))")
        ),
        "zeros": _wrong(
            "pairs that never occur are in the result, with a count of 0; leave them out.",
            ("return counts", "return Counter({(a, b): counts[a, b] for word in words for a in word for b in word})"),
        ),
    },
)
