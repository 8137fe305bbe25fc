"""Exercise 15.3, how alike two arguments are. Lin 2004, "ROUGE", section 3; Qwen report (arXiv:2309.16609), Table 6."""

import itertools
from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.prompt import metrics


def _by_trying(written: list[int], right: list[int]) -> float:
    """Every subsequence of the shorter one, the longest first, looked for in the other."""
    short, long = sorted((written, right), key=len)
    for n in range(len(short), 0, -1):
        for chosen in itertools.combinations(short, n):
            rest = iter(long)
            if all(piece in rest for piece in chosen):
                precision, recall = n / len(written), n / len(right)
                return 2 / (1 / precision + 1 / recall)
    return 0.0


def _case(written: list[int], right: list[int], note: str = "") -> Case:
    return Case({"written": written, "right": right}, _by_trying(written, right), note)


def _numbers(rng: torch.Generator, n: int) -> list[int]:
    return torch.randperm(90, generator=rng)[:n].tolist()


def _equal(rng: torch.Generator) -> list[Case]:
    right = _numbers(rng, 4)
    return [_case(list(right), right, "all right")]


def _gaps(rng: torch.Generator) -> list[Case]:
    a, b, c, d, e = _numbers(rng, 5)
    return [
        _case([a, b, c], [a, c, d, e], "in common, in order: two pieces, with a gap"),
        _case([a, d, b, e, c], [a, b, c], "nothing is missing, two are too many"),
        _case([a, b], [a, b, c, d, e], "three are missing"),
    ]


def _order(rng: torch.Generator) -> list[Case]:
    a, b, c, d = _numbers(rng, 4)
    return [
        _case([d, c, b, a], [a, b, c, d], "the order is turned round: one piece at a time fits"),
        _case([d, a, b, c], [a, b, c, d], "who takes the first piece that fits gets one; without it, three"),
        _case([a, b, c, d], [d, a, b, c], "the same, exchanged"),
    ]


def _repeats(rng: torch.Generator) -> list[Case]:
    a, b, c = _numbers(rng, 3)
    return [
        _case([a, b], [a, a, a, b, c], "a piece that was written once counts once"),
        _case([a, a, b, c], [a, a, b], "a piece that stands twice counts twice"),
    ]


def _nothing(rng: torch.Generator) -> list[Case]:
    a, b, c = _numbers(rng, 3)
    return [_case([], [a, b], "nothing was written"), _case([a], [b, c], "nothing in common"), _case([], [])]


_wrong = partial(parts.mistake, metrics.rouge_l)
_F = "2 * shared / (len(written) + len(right))"
_STEP = "longest[i][j] + 1"
_BEST = "max(longest[i][j + 1], longest[i + 1][j])"
_SHARED = "shared = longest[-1][-1]"

EXERCISE = exercise.Implement(
    name="rouge_l",
    lesson="15_tools",
    number="15.3",
    title="How alike two arguments are",
    library=metrics.rouge_l,
    also_closed=(_by_trying,),
    imports="from collections.abc import Hashable, Sequence",
    statement="""\
The right tool with slightly wrong arguments is worth something. Table 6 measures it by ROUGE-L. Write
`rouge_l(written, right)` for two lists of pieces, such as token ids: what the model wrote, and what is right.

- L is the length of the **longest common subsequence**: pieces that stand in both lists in the same order, with or
  without others between them.
- P = L / length of `written` (how much of what was written is right), R = L / length of `right` (how much of what is
  right was written). The result is their harmonic mean, 2PR / (P + R) = 2L / (both lengths together), a float.
- Without anything in common, also if a list is empty, it is 0.0.

For L, a table: `longest[i][j]` for the first i pieces of one and the first j of the other. If the next pieces are
equal, it is one more than without both; else the better of leaving out one of them.

For example, [1, 2, 3] and [1, 3, 4, 5] have L = 2, so the result is 4 / 7.
""",
    why="A score that only knows right and wrong cannot tell one wrong letter from nonsense.",
    points=3,
    minutes=15,
    difficulty=3,
    hints=(
        "What is the longest common subsequence if one of the lists is empty?",
        "A table of (m + 1) × (n + 1) whole numbers, whose row 0 and column 0 are 0; its last entry is L.",
        "for each pair of places: equal, then the entry up and left plus 1; else the larger of up and left.",
        "[[0] * 3 for _ in range(2)] makes two rows; [[0] * 3] * 2 makes one row with two names.",
    ),
    tests=(
        Test("equal lists give 1", _equal),
        Test("gaps are allowed, and lower precision or recall", _gaps),
        Test("the order counts", _order),
        Test("repeated pieces are counted as often as they are in both", _repeats),
        Test("nothing in common gives 0", _nothing),
    ),
    wrong_answers={
        "recall": _wrong("that is R, the recall; who writes everything gets 1.", (_F, "shared / len(right)")),
        "precision": _wrong(
            "that is P, the precision; who writes one right piece gets 1.", (_F, "shared / len(written)")
        ),
        "arithmetic": _wrong(
            "that is the arithmetic mean of P and R; take the harmonic one.",
            (_F, "(shared / len(written) + shared / len(right)) / 2"),
        ),
        "product": _wrong(
            "that is P · R; divide by P + R, and double it.", (_F, "shared**2 / (len(written) * len(right))")
        ),
        "half": _wrong("the factor 2 is missing: equal lists give 1.", (_F, "shared / (len(written) + len(right))")),
        "jaccard": _wrong(
            "that is the Jaccard similarity; ROUGE-L divides by both lengths together.",
            (_F, "shared / (len(written) + len(right) - shared)"),
        ),
        "any_order": _wrong(
            "pieces in common are counted whatever their order.",
            (_SHARED, "shared = sum(min(written.count(piece), right.count(piece)) for piece in set(right))"),
        ),
        "sets": _wrong(
            "pieces in common are counted once each and whatever their order, as in sets.",
            (_SHARED, "shared = len(set(written) & set(right))"),
        ),
        "by_place": _wrong(
            "only pieces at the same place are counted; one left out would shift all others.",
            (_SHARED, "shared = sum(a == b for a, b in zip(written, right))"),
        ),
        "greedy": _wrong(
            "each piece is matched with the first that fits, and may use up the others; a table tries all ways.",
            (
                _SHARED,
                "at, shared = 0, 0\n    for a in written:\n"
                "        at, shared = (right.index(a, at) + 1, shared + 1) if a in right[at:] else (at, shared)",
            ),
        ),
        "not_carried": _wrong(
            "after a difference the entry is the one up and left; take the larger of up and left.",
            (_BEST, "longest[i][j]"),
        ),
        "longer": _wrong(
            "L is divided by the longer length; divide 2L by both lengths together.",
            (_F, "shared / max(len(written), len(right))"),
        ),
        "shorter": _wrong(
            "L is divided by the shorter length; divide 2L by both lengths together.",
            (_F, "shared / min(len(written), len(right))"),
        ),
        "geometric": _wrong(
            "that is the geometric mean of P and R; take the harmonic one.",
            (_F, "shared / (len(written) * len(right)) ** 0.5"),
        ),
        "empty_is_equal": _wrong(
            "two empty lists give 1; without anything in common it is 0.0.",
            ("if shared else 0.0", "if shared else float(len(written) == len(right) == 0)"),
        ),
        "percent": _wrong("that is in percent; equal lists give 1.", (_F, f"100 * {_F}")),
        "rounded": _wrong("the result is rounded; return it as it is.", (_F, f"round({_F}, 2)")),
        "without_gaps": _wrong(
            "the longest common run is counted; a subsequence may have gaps.",
            (_BEST, "0"),
            (_SHARED, "shared = max(max(row) for row in longest)"),
        ),
        "counted_twice": _wrong(
            "one piece is counted for several places of the other list; both pieces are used up.",
            (_STEP, "longest[i + 1][j] + 1"),
        ),
        "one_side": _wrong(
            "after a difference only one of the two lists may leave a piece out; take the better of both.",
            (_BEST, "longest[i][j + 1]"),
        ),
    },
)
