"""Exercise 14.6, how many numbers learn. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.2."""

import itertools
from functools import partial

import torch

from minqwen.adapt import memory
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(shapes, rank):
    """A and B of each matrix."""
    total = 0
    for rows, columns in shapes:
        total += rank * columns + rows * rank
    return total


def _case(shapes: list[tuple[int, int]], rank: int, note: str = "") -> Case:
    ones = [1 for rows, columns in shapes for _ in range(rank) for _ in range(rows + columns)]
    return Case({"shapes": shapes, "rank": rank}, len(ones), note)


def _one(rng: torch.Generator) -> list[Case]:
    rows, columns, rank = draw.sizes(rng, 3)
    return [_case([(rows, columns)], rank, f"one matrix, {rows} x {columns}")]


def _square(rng: torch.Generator) -> list[Case]:
    n, rank = draw.sizes(rng, 2)
    return [_case([(n, n)], rank, "a square one")]


def _several(rng: torch.Generator) -> list[Case]:
    sizes = draw.sizes(rng, 5)
    return [_case(list(itertools.pairwise(sizes[:4])), sizes[4], "three matrices")]


def _layers(rng: torch.Generator) -> list[Case]:
    a, b, rank = draw.sizes(rng, 3)
    return [_case([(a, b), (a, b), (b, a)], rank, "the same shape more than once counts each time")]


_wrong = partial(parts.mistake, _reference)
_TERM = "rank * columns + rows * rank"

EXERCISE = exercise.Implement(
    name="count_lora_parameters",
    lesson="14_lora_qlora",
    number="14.6",
    title="How many numbers learn",
    library=memory.count_lora_parameters,
    reference=_reference,
    in_model=True,
    imports="from collections.abc import Sequence",
    statement="""\
Write `count_lora_parameters(shapes, rank)`: how many numbers learn when each of these matrices gets an adapter.

- `shapes` is a list of `(out, in)`, one pair for each adapted matrix; `rank` is the same for all.
- The frozen matrices do not count.

For example, one 3 x 5 matrix with rank 2: A has 2 · 5 numbers, B has 3 · 2, together 16.
""",
    why="It decides the size of the file, of the gradients and of Adam's states.",
    points=1,
    minutes=5,
    difficulty=1,
    hints=(
        "What is the shape of A, and what that of B, for an (out, in) matrix?",
        "One whole number for all matrices together.",
        "for each matrix: rank times in, and out times rank; add them up.",
        "sum(... for rows, columns in shapes)",
    ),
    tests=(
        Test("A and B of one matrix", _one),
        Test("A and B of a square matrix", _square),
        Test("several matrices", _several),
        Test("layers of one shape count each", _layers),
    ),
    wrong_answers={
        "a_only": _wrong("B is forgotten.", (_TERM, "rank * columns")),
        "b_only": _wrong("A is forgotten.", (_TERM, "rows * rank")),
        "full": _wrong("that counts the frozen matrices.", (_TERM, "rows * columns")),
        "both": _wrong(
            "the frozen matrices are counted too.", (_TERM, "rank * columns + rows * rank + rows * columns")
        ),
        "product": _wrong("rank times the whole matrix: A and B are thin.", (_TERM, "rank * rows * columns")),
        "core": _wrong(
            "a rank x rank matrix between A and B is counted; there is none.",
            (_TERM, "rank * columns + rank * rank + rows * rank"),
        ),
        "twice_in": _wrong("B is as long as out, not as in.", (_TERM, "2 * rank * columns")),
        "once": _wrong(
            "equal shapes count once; every matrix has an adapter of its own.",
            ("in shapes:", "in dict.fromkeys(shapes):"),
        ),
        "last": _wrong("only the last matrix counts: add them up.", ("total +=", "total =")),
        "no_rank": _wrong("the rank is forgotten.", (_TERM, "columns + rows")),
    },
)
