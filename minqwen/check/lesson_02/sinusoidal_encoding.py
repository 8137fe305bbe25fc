"""Exercise 2.1, the clock hands of 2017. Vaswani et al. 2017 (arXiv:1706.03762), section 3.5."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import positions


def _loops(length: int, d_model: int) -> Tensor:
    rows = []
    for p in range(length):
        row = []
        for i in range(d_model // 2):
            angle = p / 10000 ** (2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


def _sizes(rng: torch.Generator) -> dict[str, int]:
    length, half = draw.sizes(rng, 2)
    return {"length": length, "d_model": 2 * half}


def _start(rng: torch.Generator) -> list[Case]:
    expected, reads = torch.tensor([0.0, 1.0, 0.0, 1.0]), "row 0 of the result"
    given = [{"length": length, "d_model": 4} for length in (3, *draw.sizes(rng, 1))]
    return [Case(args, expected, read=lambda out: out[0], reads=reads) for args in given]


def _first_pair(rng: torch.Generator) -> list[Case]:
    given = {**_sizes(rng), "d_model": 2}
    expected = torch.tensor([[math.sin(p), math.cos(p)] for p in range(given["length"])])
    return [Case(given, expected, "a single pair, of frequency 1")]


def _lengths(rng: torch.Generator) -> list[Case]:
    given = _sizes(rng)
    expected = torch.ones(given["length"], given["d_model"] // 2)
    reads = "the squared length of each pair (channels 2i and 2i + 1)"
    return [Case(given, expected, read=lambda out: out.unflatten(-1, (-1, 2)).square().sum(dim=-1), reads=reads)]


def _values(rng: torch.Generator) -> list[Case]:
    given = [{"length": 3, "d_model": 4}, _sizes(rng), {"length": 31, "d_model": 14}]
    return [Case(args, _loops(**args)) for args in given]


_wrong = partial(parts.mistake, positions.sinusoidal_encoding)

EXERCISE = exercise.Implement(
    name="sinusoidal_encoding",
    lesson="02_positions",
    number="2.1",
    title="A vector for every position",
    library=positions.sinusoidal_encoding,
    in_model=True,
    also_closed=(_loops,),
    statement="""\
Write `sinusoidal_encoding(length, d_model)`, the table whose row p is added to the embedding of the token at
position p.

- The result is float32 of shape `(length, d_model)`. Positions p count from 0; `d_model` is even here.
- Channels come in pairs, i = 0 … d_model/2 − 1. Pair i is a clock hand that turns with frequency
  ω = 10000^(−2i/d_model): channel **2i holds sin(p ω)**, channel **2i + 1 holds cos(p ω)**.

For example, `sinusoidal_encoding(2, 4)`: pair 0 has frequency 1, pair 1 has frequency 1/100.

```text
p = 0:   sin 0   cos 0   sin 0      cos 0       =   0       1       0       1
p = 1:   sin 1   cos 1   sin 0.01   cos 0.01    =   0.8415  0.5403  0.0100  0.9999
```
""",
    why="Attention by itself does not know the order of its tokens; this was the first answer.",
    points=3,
    minutes=12,
    difficulty=2,
    hints=(
        "Every entry depends on one position and one frequency. How many different frequencies are there?",
        "frequencies (d_model/2,), positions (length,), angles (length, d_model/2), result (length, d_model).",
        "frequency of pair i = 10000 ** (-2i / d_model); angles = outer product of positions and frequencies; "
        "then put sine and cosine of the same angle next to each other.",
        "torch.stack([sines, cosines], dim=-1).flatten(-2) puts them next to each other; arange(0, d_model, 2) is 2i.",
    ),
    tests=(
        Test("position 0 is 0, 1, 0, 1: sines of 0 and cosines of 0, in turn", _start),
        Test("the first pair turns by one radian a position", _first_pair),
        Test("sine and cosine of a pair lie next to each other: every pair has length 1", _lengths),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "sine_and_cosine_exchanged": _wrong(
            "sine and cosine are exchanged: the sine stands first.",
            ("[angles.sin(), angles.cos()]", "[angles.cos(), angles.sin()]"),
        ),
        "not_interleaved": _wrong(
            "all sines come first and all cosines after them; here the two of a pair stand next to each other.",
            (
                "torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)",
                "torch.cat([angles.sin(), angles.cos()], -1)",
            ),
        ),
        "exponent_halved": _wrong(
            "the exponent is i/d_model; with 2i/d_model the slowest pair comes near 1/10000.",
            ("torch.arange(0, d_model, 2)", "torch.arange(d_model // 2)"),
        ),
        "exponent_doubled": _wrong(
            "the exponent is twice too large: the 2 of 2i is counted twice, or you divide by d_model/2.",
            ("2) / d_model", "2) / (d_model / 2)"),
        ),
        "frequencies_rise": _wrong(
            "the sign of the exponent is wrong: later pairs must turn more slowly, not faster.",
            ("(-torch", "(torch"),
        ),
        "positions_from_one": _wrong(
            "positions are counted from 1; the first one is 0.",
            ("torch.arange(length).float()", "torch.arange(1, length + 1).float()"),
        ),
        "base_too_small": _wrong(
            "the base is 1000; it is 10000.",
            ("10000.0 **", "1000.0 **"),
        ),
        "only_sines": _wrong(
            "both channels of a pair hold the sine; the second is the cosine.",
            ("angles.cos()", "angles.sin()"),
        ),
    },
)
