"""Exercise 9.1, how far to stretch, by chunks. Qwen Technical Report (arXiv:2309.16609), section 2.5."""

import math
from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import long_context


def _reference(length, trained_length):
    """The library's line, without its checks."""
    return max(2 ** (math.ceil(math.log2(length / trained_length)) + 1) - 1, 1)


def _counted(length: int, trained_length: int) -> int:
    """By doubling the room until the text fits."""
    room, alpha = trained_length, 1
    while room < length:
        room, alpha = 2 * room, 2 * alpha + 1
    return alpha


def _trained(rng: torch.Generator) -> int:
    return int(torch.randint(5, 3000, (1,), generator=rng))


def _case(length: int, trained_length: int, note: str = "") -> Case:
    args = {"length": length, "trained_length": trained_length}
    return Case(args, _counted(**args), note)


def _longer(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [_case(2**k * L + 1, L, f"one token more than {2**k} times the trained length") for k in range(4)]


def _full(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [_case(2**k * L, L, f"{2**k} times the trained length, and not a token more") for k in (1, 2, 3)]


def _short(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [_case(length, L, "no longer than trained") for length in (L, L // 2, L // 4, 1)]


def _values(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [_case(int(length), L) for length in torch.randint(L, 40 * L, (5,), generator=rng)]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="ntk_alpha",
    lesson="09_long_context",
    number="9.1",
    title="How far to stretch",
    library=long_context.ntk_alpha,
    reference=_reference,
    also_closed=(_counted,),
    in_model=True,
    imports="import math",
    statement="""\
Write `ntk_alpha(length, trained_length)`: by which factor the slowest pair of channels has to be slowed down for a
text of `length` tokens, when the model was trained on `trained_length`. Both are whole numbers of 1 or more, and so
is the result (`int`).

- The factor is the same within a *chunk* of lengths, and the chunks double: with L = `trained_length` it is **1** up
  to L, **3** above L up to 2L, **7** above 2L up to 4L, **15** above 4L up to 8L, and so on:

$$\\alpha=\\max\\big(2^{\\lceil\\log_2(\\text{length}/L)\\rceil+1}-1,\\ 1\\big)$$

- The brackets ⌈ ⌉ round up to the next whole number; one that is whole already stays.

For example, L = 2048: a text of 4096 has 2¹⁺¹ − 1 = **3**, one of 4097 has 2²⁺¹ − 1 = **7**, one of 500 has **1**.
""",
    why="By chunks, a text that grows token by token changes its rotations only when it has doubled.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "How often must L be doubled until a text of 5L fits? What does log₂ of 5 say to that?",
        "Two whole numbers go in, one comes out; a short text would come out as 0 or below, and must come out as 1.",
        "doublings = log₂ of the ratio, rounded up; alpha = 2 to the (doublings + 1), minus 1; at least 1.",
        "math.log2 gives the logarithm, math.ceil rounds up, max(..., 1) is the least.",
    ),
    tests=(
        Test("one token past a chunk belongs to the next", _longer),
        Test("a full chunk is still that chunk", _full),
        Test("up to the trained length alpha is 1", _short),
        Test("agrees with counting doublings, for any length", _values),
    ),
    wrong_answers={
        "rounded_down": _wrong(
            "the logarithm is rounded down or to the nearest, so a text gets the factor of the chunk before; round up.",
            ("math.ceil", "math.floor"),
        ),
        "down_and_one": _wrong(
            "the logarithm is rounded down and one is added, so a full chunk has the factor of the next; round up.",
            ("math.ceil(math.log2(length / trained_length))", "math.floor(math.log2(length / trained_length) + 1)"),
        ),
        "one_outside_the_exponent": _wrong(
            "+ 1 stands outside the exponent, where − 1 takes it away again; it needs brackets: 2 ** (… + 1).",
            (
                "2 ** (math.ceil(math.log2(length / trained_length)) + 1)",
                "2 ** math.ceil(math.log2(length / trained_length)) + 1",
            ),
        ),
        "chunk_too_small": _wrong(
            "every chunk has the factor of the one before: the exponent is the number of doublings plus one.",
            (" + 1) - 1", ") - 1"),
        ),
        "not_at_least_one": _wrong(
            "short texts come out below 1, which would speed the pairs up; 1 is the least.",
            ("max(2", "(2"),
            (", 1)", ")"),
        ),
        "one_not_taken_away": _wrong("this is 2, 4, 8, …; one is to be taken away.", (" - 1, 1)", ", 1)")),
        "every_half_chunk": _wrong(
            "this rises by one with every L/2; the factor stays the same within a chunk, and chunks double.",
            ("2 ** (math.ceil(math.log2(length / trained_length)) + 1)", "2 * length // trained_length"),
        ),
        "how_many_times": _wrong(
            "this is how many times L the text is long, the factor of interpolation; NTK's is 2^(⌈log₂⌉ + 1) − 1.",
            ("2 ** (math.ceil(math.log2(length / trained_length)) + 1) - 1", "math.ceil(length / trained_length)"),
        ),
        "upside_down": _wrong(
            "the ratio is upside down: it is length / trained_length.",
            ("length / trained_length", "trained_length / length"),
        ),
        "natural_logarithm": _wrong(
            "this is the natural logarithm; doublings are counted by the one to base 2.",
            ("math.log2", "math.log"),
        ),
    },
)
