"""Exercise 6.2, two ids become one. Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.tokenizer import bpe


def _searched(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Find the first occurrence; what stands before it, the new id, and the rest treated the same way."""
    for i in range(len(ids) - 1):
        if tuple(ids[i : i + 2]) == pair:
            return [*ids[:i], new_id, *_searched(ids[i + 2 :], pair, new_id)]
    return list(ids)


def _case(ids: list[int], pair: tuple[int, int], new_id: int, note: str = "") -> Case:
    return Case({"ids": ids, "pair": pair, "new_id": new_id}, _searched(ids, pair, new_id), note)


def _ids(rng: torch.Generator, n: int) -> list[int]:
    """n different ids."""
    return torch.randperm(256, generator=rng)[:n].tolist()


def _new(rng: torch.Generator) -> int:
    return 256 + int(torch.randint(0, 100, (1,), generator=rng))


def _once(rng: torch.Generator) -> list[Case]:
    (a, b, c), new = _ids(rng, 3), _new(rng)
    return [_case(ids, (a, b), new) for ids in ([a, b], [c, a, b], [a, b, c], [c, a, b, c])]


def _several(rng: torch.Generator) -> list[Case]:
    (a, b, c), new = _ids(rng, 3), _new(rng)
    return [_case([a, b, c, a, b], (a, b), new), _case([a, b, a, b, a, b], (a, b), new)]


def _overlaps(rng: torch.Generator) -> list[Case]:
    (a, b), new = _ids(rng, 2), _new(rng)
    notes = "three equal ids: the left two", "five equal ids: two pairs, and the last is left"
    return [_case(n * [a], (a, a), new, note) for n, note in zip((3, 5), notes)] + [_case([b, a, a, a], (a, a), new)]


def _order(rng: torch.Generator) -> list[Case]:
    (a, b), new = _ids(rng, 2), _new(rng)
    return [_case([b, a], (a, b), new, "the two in the other order"), _case([b, a, b, a], (a, b), new)]


def _half(rng: torch.Generator) -> list[Case]:
    (a, b, c), new = _ids(rng, 3), _new(rng)
    return [
        _case([a, c, b], (a, b), new, "one of the two alone"),
        _case([a, a, b, b], (a, b), new),
        _case([a], (a, b), new),
    ]


def _digits(rng: torch.Generator) -> list[Case]:
    """Numbers that contain each other when they are written one after the other."""
    a, b = torch.randperm(9, generator=rng)[:2].tolist()
    ids, note = [10 * b + a + 1, b + 1], "ids are numbers, and not the digits with which they are written"
    return [_case(ids, (a + 1, b + 1), _new(rng), note), _case(ids[::-1], (b + 1, b + 1), _new(rng), note)]


def _nothing(rng: torch.Generator) -> list[Case]:
    (a, b, c), new = _ids(rng, 3), _new(rng)
    return [_case([], (a, b), new, "no ids at all"), _case([c], (a, b), new)]


def _values(rng: torch.Generator) -> list[Case]:
    a, b = _ids(rng, 2)
    ids = [(a, b)[i] for i in torch.randint(0, 2, (23,), generator=rng).tolist()]
    return [_case(ids, pair, _new(rng)) for pair in ((a, b), (b, b))]


_wrong = partial(parts.mistake, bpe.merge_pair)

EXERCISE = exercise.Implement(
    name="merge_pair",
    lesson="06_tokenizer",
    number="6.2",
    title="Two become one",
    library=bpe.merge_pair,
    also_closed=(_searched, bpe.learn_merges),
    imports="from collections.abc import Sequence\n\nPair = tuple[int, int]",
    statement="""\
Write `merge_pair(ids, pair, new_id)`, one step of byte-pair encoding: every occurrence of a pair becomes a new token.

- `ids` is a list of ids, `pair` is two ids (left, right), `new_id` the id that takes their place.
- Go **from left to right**. An id that has been merged is used up: of three equal ids the left two are merged, and the
  third is left over.
- The result is a **new list**; `ids` stays as it is. It may be empty, or hold no such pair.

For example, `merge_pair([1, 2, 3, 1, 2], (1, 2), 9)` gives `[9, 3, 9]`, and `merge_pair([1, 1, 1], (1, 1), 9)` gives
`[9, 1]`.
""",
    why="With count_pairs it is the whole trainer; and an encoder does nothing else either.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "You stand at place i and have merged the ids at i and i + 1. At which place do you go on?",
        "From a list of n ids to a list of n ids less one for each merge.",
        "at each place: if it and the next are the pair, put down new_id and go on two places; else put down the id "
        "and go on one.",
        "A while loop over i can step by 1 or by 2; a for loop cannot. Mind the last place, which has no next.",
    ),
    tests=(
        Test("the pair becomes the new id, wherever it stands", _once),
        Test("every occurrence is merged", _several),
        Test("of ids that overlap the left ones are merged", _overlaps),
        Test("the pair has an order", _order),
        Test("half a pair stays", _half),
        Test("ids are compared whole", _digits),
        Test("where there is no pair, nothing changes", _nothing),
        Test("agrees with searching", _values),
    ),
    wrong_answers={
        "first_only": _wrong(
            "only the first occurrence is merged; merge them all.",
            ("(ids[i], ids[i + 1]) == pair", "(ids[i], ids[i + 1]) == pair and new_id not in merged"),
        ),
        "used_twice": _wrong(
            "after a merge the loop goes on by one place, so the right id is used again; go on by two.",
            ("i += 2", "i += 1"),
        ),
        "right_to_left": _wrong(
            "of three equal ids the right two are merged; go from left to right.",
            ("    merged: list[int] = []\n", "    merged: list[int] = []\n    ids, pair = ids[::-1], pair[::-1]\n"),
            ("return merged", "return merged[::-1]"),
        ),
        "either_order": _wrong(
            "the pair in the other order is merged too; (2, 1) is not (1, 2).",
            ("== pair", "in (pair, pair[::-1])"),
        ),
        "other_order": _wrong(
            "the pair is looked for in the other order; its first id is the left one.",
            ("== pair", "== pair[::-1]"),
        ),
        "last_lost": _wrong(
            "the last id is lost where it is not part of a pair: the loop ends one place too early.",
            ("while i < len(ids)", "while i + 1 < len(ids)"),
        ),
        "left_kept": _wrong(
            "the left id is still there before the new one; the new id replaces both.",
            ("merged.append(new_id)", "merged.extend((ids[i], new_id))"),
        ),
        "right_kept": _wrong(
            "the right id is still there after the new one; the new id replaces both.",
            ("merged.append(new_id)", "merged.extend((new_id, ids[i + 1]))"),
        ),
        "left_is_enough": _wrong(
            "the left id is replaced whatever stands after it; both must be there.",
            ("(ids[i], ids[i + 1]) == pair", "ids[i] == pair[0]"),
        ),
        "right_is_enough": _wrong(
            "two ids are replaced where only the right one is of the pair; both must be there.",
            ("(ids[i], ids[i + 1]) == pair", "ids[i + 1] == pair[1]"),
        ),
        "end_missed": _wrong(
            "a pair at the very end is not seen.",
            ("i + 1 < len(ids) and", "i + 2 < len(ids) and"),
        ),
        "nothing_merged": _wrong(
            "nothing is merged; is a list compared with a tuple? [1, 2] == (1, 2) is False.",
            ("(ids[i], ids[i + 1]) == pair", "[ids[i], ids[i + 1]] == pair"),
        ),
        "as_text": _wrong(
            "ids are joined to a text and replaced there, so 21 3 holds 1 3; compare whole ids.",
            (
                "return merged",
                'return [*map(int, f"{ids}"[1:-1].replace(f"{pair}"[1:-1], str(new_id)).split(", "))] if ids else []',
            ),
        ),
        "overlaps": _wrong(
            "where pairs overlap, an id is used in two merges; once it is merged it is used up.",
            ("i += 2", "i += 1 + ((ids[i + 1], *ids[i + 2 : i + 3]) != pair)"),
        ),
        "either_id": _wrong(
            "each id of the pair becomes the new one by itself; only the two together do.",
            ("i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair", "ids[i] in pair"),
            ("i += 2", "i += 1"),
        ),
        "taken_out": _wrong(
            "the pair is taken out, and nothing is put in its place.", ("merged.append(new_id)", "pass")
        ),
        "by_twos": _wrong(
            "after an id that stays the loop goes on by two, and misses pairs that begin between; go on by one.",
            ("merged.append(ids[i])", "merged.extend(ids[i : i + 2])"),
            ("i += 1", "i += 2"),
        ),
    },
)
