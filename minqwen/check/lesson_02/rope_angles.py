"""Exercise 2.2, how far each pair turns. Su et al. 2021 (arXiv:2104.09864), section 3.2.2, equation 15."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import rope


def _reference(positions, d_head, base=10000.0):
    """The library's line, for the positions that the statement allows."""
    pairs = torch.arange(0, d_head, 2)
    return positions[..., None] * base ** (-pairs / d_head)


def _loops(positions: Tensor, d_head: int, base: float = 10000.0) -> Tensor:
    if positions.ndim > 1:
        return torch.stack([_loops(part, d_head, base) for part in positions])
    rows = [[p / base ** (2 * i / d_head) for i in range(d_head // 2)] for p in positions.tolist()]
    return torch.tensor(rows, dtype=torch.float32)


def _integers(rng: torch.Generator, *shape: int, high: int = 50) -> Tensor:
    return torch.randint(0, high, shape, generator=rng)


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _first_pair(rng: torch.Generator) -> list[Case]:
    positions = _integers(rng, 3)
    reads = "the angles of pair 0"
    return [Case({"positions": positions, "d_head": 4}, positions.float(), read=lambda out: out[:, 0], reads=reads)]


def _zero(rng: torch.Generator) -> list[Case]:
    (half,) = draw.sizes(rng, 1)
    return [Case({"positions": torch.tensor([0]), "d_head": 2 * half}, torch.zeros(1, half))]


def _values(rng: torch.Generator) -> list[Case]:
    T, half = draw.sizes(rng, 2)
    return [
        _case({"positions": _integers(rng, 2), "d_head": 4}),
        _case({"positions": _integers(rng, T), "d_head": 2 * half}, "positions in any order, with gaps"),
        _case({"positions": _integers(rng, 3, high=8192), "d_head": 14}, "far positions"),
    ]


def _base(rng: torch.Generator) -> list[Case]:
    positions = _integers(rng, 2)
    bases = (float(_integers(rng, 1, high=90)) + 10, 1_000_000.0)
    return [_case({"positions": positions, "d_head": 4, "base": base}) for base in bases]


def _fractions(rng: torch.Generator) -> list[Case]:
    return [_case({"positions": _integers(rng, 3) / 4 + 0.125, "d_head": 4}, "positions between the integers")]


def _batches(rng: torch.Generator) -> list[Case]:
    return [_case({"positions": _integers(rng, 2, 3), "d_head": 6}, "two sequences, each with its own positions")]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="rope_angles",
    lesson="02_positions",
    number="2.2",
    title="How far does each pair turn?",
    library=rope.rope_angles,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `rope_angles(positions, d_head, base=10000.0)`: by which angle, in radians, each pair of channels is turned at
each position.

- `positions` has shape `(..., T)`: the positions of T tokens, counted from 0, in any order; whole numbers (int64), or
  float32 numbers that need not be whole. `d_head` is the width D of a head, even here; `base` is a number. The dots are
  leading dimensions.
- The result is float32 of shape `(..., T, D/2)`: pair i = 0 … D/2 − 1 turns by

$$\\text{angles}[..., t, i] = \\text{positions}[..., t] \\cdot \\text{base}^{-2i/D}$$

For example, `rope_angles(torch.tensor([0, 1, 2]), d_head=4, base=100.0)`: pair 0 turns by 1 a position, pair 1 by 0.1.

```text
0.0  0.0
1.0  0.1
2.0  0.2
```
""",
    why="Everything about long contexts (lesson 09) is done by changing this one line.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "By how much does pair 0 turn from one position to the next, whatever the base? And the last pair?",
        "frequencies (D/2,); positions (..., T) need a new last axis, (..., T, 1), to meet them; result (..., T, D/2).",
        "frequency of pair i = base ** (-2i / D); result = every position times every frequency.",
        "positions[..., None] * frequencies, where torch.arange(0, d_head, 2) counts 2i.",
    ),
    tests=(
        Test("position 0 turns nothing", _zero),
        Test("pair 0 turns by one radian a position", _first_pair),
        Test("agrees with plain loops", _values),
        Test("the base sets how slow the last pairs are", _base),
        Test("positions need not be whole numbers", _fractions),
        Test("leading dimensions pass through", _batches),
    ),
    wrong_answers={
        "exponent_halved": _wrong(
            "the exponent is i/D; pairs are counted to D/2, so it is 2i/D.",
            ("torch.arange(0, d_head, 2)", "torch.arange(d_head // 2)"),
        ),
        "exponent_doubled": _wrong(
            "the exponent is twice too large: the 2 of 2i is counted twice, or you divide by D/2.",
            ("(-pairs / d_head)", "(-pairs / (d_head / 2))"),
        ),
        "frequencies_rise": _wrong(
            "the sign of the exponent is wrong: later pairs must turn more slowly, not faster.",
            ("(-pairs", "(pairs"),
        ),
        "base_ignored": _wrong(
            "the argument base has no effect: 10000 is only its default.",
            ("* base **", "* 10000.0 **"),
        ),
        "positions_from_one": _wrong(
            "positions are counted from 1; position 0 must turn by nothing.",
            ("positions[..., None]", "(positions[..., None] + 1)"),
        ),
        "positions_assumed": _wrong(
            "the positions are taken to be 0, 1, 2, …; use the ones that are given, which may start anywhere.",
            ("positions[..., None]", "torch.arange(positions.shape[-1]).expand(positions.shape)[..., None]"),
        ),
        "positions_truncated": _wrong(
            "positions are cut to whole numbers; later lessons stretch them to fractions.",
            ("positions[..., None]", "positions[..., None].long()"),
        ),
        "pairs_reversed": _wrong(
            "the pairs are in reverse order: pair 0 is the fastest.",
            ("base ** (-pairs / d_head)", "base ** (-pairs.flip(0) / d_head)"),
        ),
        "half_precision": _wrong(
            "the frequencies were computed in half precision; keep angles in float32, or far positions blur.",
            ("base ** (-pairs / d_head)", "(base ** (-pairs / d_head)).bfloat16().float()"),
        ),
    },
)
