"""Exercise 9.5, sharper queries far out. Qwen Technical Report (arXiv:2309.16609), section 2.5: LogN scaling."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import long_context


def _reference(positions, trained_length):
    """The library's line, for the positions that the statement allows."""
    return ((positions.float() + 1).log() / math.log(trained_length)).clamp(min=1.0)


def _loops(positions: Tensor, trained_length: int) -> Tensor:
    flat = [max(1.0, math.log(p + 1, trained_length)) for p in positions.flatten().tolist()]
    return torch.tensor(flat, dtype=torch.float32).reshape(positions.shape)


def _case(positions: Tensor, trained_length: int, note: str = "") -> Case:
    given = {"positions": positions, "trained_length": trained_length}
    return Case(given, _loops(**given), note)


def _trained(rng: torch.Generator) -> int:
    return int(torch.randint(5, 99, (1,), generator=rng))


def _far(rng: torch.Generator, L: int, *shape: int) -> Tensor:
    return torch.randint(L, 30 * L, shape, generator=rng)


def _squared(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [_case(torch.tensor([L**2 - 1, L**3 - 1]), L, "the L²-th and the L³-th token")]


def _short(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [Case({"positions": torch.arange(L), "trained_length": L}, torch.ones(L), "every position that was trained")]


def _values(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    (T,) = draw.sizes(rng, 1)
    return [_case(_far(rng, L, 3), L), _case(_far(rng, L, T), L, "positions in any order, with gaps")]


def _batches(rng: torch.Generator) -> list[Case]:
    L = _trained(rng)
    return [_case(_far(rng, L, 2, 3), L, "two sequences, each with its own positions")]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="logn_scale",
    lesson="09_long_context",
    number="9.5",
    title="Sharper queries, further out",
    library=long_context.logn_scale,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import math",
    statement="""\
Write `logn_scale(positions, trained_length)`: by which number the query at each position is multiplied.

- `positions` is an int64 tensor of shape `(..., T)`: the positions of T tokens, counted from 0, in any order. The
  token at position p sees p + 1 keys. `trained_length` is a whole number L of 2 or more.
- The result is float32 of the same shape:

$$g(p)=\\max\\Big(1,\\ \\frac{\\ln(p+1)}{\\ln L}\\Big)$$

- So no position that was trained changes (p + 1 ≤ L gives 1), and none is ever made smaller.

For example, L = 10: `logn_scale(torch.tensor([0, 9, 99, 999]), 10)` is `[1, 1, 2, 3]`.
""",
    why="Attention over more keys is spread thinner; larger scores make it sharper again.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "How many keys does the token at position 99 see? What is the logarithm of that to base 10?",
        "positions (..., T) and result (..., T); the counts have to be floats before a logarithm is taken.",
        "keys = positions as floats, plus 1; log of keys over log of L; everything below 1 becomes 1.",
        "tensor.log() for the tensor, math.log(...) for L, .clamp(min=...) for the maximum with 1.",
    ),
    tests=(
        Test("the token with L² keys has factor 2, with L³ keys factor 3", _squared),
        Test("up to the trained length every factor is 1", _short),
        Test("agrees with plain loops", _values),
        Test("leading dimensions pass through", _batches),
    ),
    wrong_answers={
        "below_one": _wrong(
            "positions within the trained length come out below 1; they stay as they are: at least 1.",
            (".clamp(min=1.0)", ""),
        ),
        "one_too_early": _wrong("the token at position p sees p + 1 keys, itself included.", (" + 1)", ")")),
        "at_most_one": _wrong(
            "far positions come out as 1 and near ones below it; 1 is the least, not the most.", ("min=1.0", "max=1.0")
        ),
        "log_of_the_ratio": _wrong(
            "this is the logarithm of a quotient; what is asked for is the quotient of two logarithms.",
            (
                "(positions.float() + 1).log() / math.log(trained_length)",
                "((positions.float() + 1) / trained_length).log()",
            ),
        ),
        "no_logarithm": _wrong(
            "this grows as the length itself, and would leave only the largest score; take logarithms.",
            (".log() / math.log(trained_length)", " / trained_length"),
        ),
        "upside_down": _wrong(
            "the quotient is upside down: the logarithm of the keys comes first.",
            (
                "(positions.float() + 1).log() / math.log(trained_length)",
                "math.log(trained_length) / (positions + 1).log()",
            ),
        ),
        "two_logarithms": _wrong(
            "the two logarithms have different bases: torch's log2 is not math.log.", (".log()", ".log2()")
        ),
        "one_for_all": _wrong(
            "all queries get the factor of the last position; each has its own.",
            ("positions.float()", "positions.amax(dim=-1, keepdim=True).expand(positions.shape).float()"),
        ),
        "positions_assumed": _wrong(
            "the positions are taken to be 0, 1, 2, …; use the ones that are given.",
            ("positions.float()", "torch.arange(positions.shape[-1]).expand(positions.shape).float()"),
        ),
    },
)
