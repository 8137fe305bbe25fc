"""Exercise 1.5, from one wide vector to several heads. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import attention


def _loops(x: Tensor, n_heads: int) -> Tensor:
    if x.ndim > 2:
        return torch.stack([_loops(part, n_heads) for part in x])
    width = x.shape[-1] // n_heads
    rows = x.tolist()
    heads = [[row[h * width : (h + 1) * width] for row in rows] for h in range(n_heads)]
    return torch.tensor(heads, dtype=torch.float64).to(x.dtype)


def _case(x: Tensor, n_heads: int, note: str = "") -> Case:
    return Case({"x": x, "n_heads": n_heads}, _loops(x, n_heads), note)


def _neighbours(rng: torch.Generator) -> list[Case]:
    x = torch.arange(24.0).reshape(4, 6) + torch.randint(0, 50, (1,), generator=rng)
    return [_case(x, 3, "four tokens of six channels: head 0 owns the first two")]


def _one_sequence(rng: torch.Generator) -> list[Case]:
    T, H, D = draw.sizes(rng, 3)
    return [_case(draw.normal(rng, T, H * D), H)]


def _leading(rng: torch.Generator) -> list[Case]:
    B, T, H, D = draw.sizes(rng, 4)
    return [_case(draw.normal(rng, B, T, H * D), H), _case(draw.normal(rng, 2, 3, 5, 6), 2)]


def _one_head(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 2, 3), 1)]


_wrong = partial(parts.mistake, attention.split_heads)

EXERCISE = exercise.Implement(
    name="split_heads",
    lesson="01_attention",
    number="1.5",
    title="Cut the channels into heads",
    library=attention.split_heads,
    also_closed=(_loops,),
    may_view=True,
    in_model=True,
    statement="""\
Write `split_heads(x, n_heads)`, which cuts the channels of every token into `n_heads` equal parts and gives each head
its own part of all tokens.

- `x` has shape `(..., T, C)`: T tokens of C channels. The result is `(..., n_heads, T, D)` with D = C / n_heads.
- Head h owns D **neighbouring** channels: `out[..., h, t, d] = x[..., t, h * D + d]`.
- The dots stand for any leading dimensions, also none. C is always a multiple of `n_heads` here.

For example, four tokens of six channels and three heads:

```text
x = [[ 1,  2,  3,  4,  5,  6],   head 0: [[ 1,  2],   head 1: [[ 3,  4],   head 2: [[ 5,  6],
     [ 7,  8,  9, 10, 11, 12],            [ 7,  8],            [ 9, 10],            [11, 12],
     [13, 14, 15, 16, 17, 18],            [13, 14],            [15, 16],            [17, 18],
     [19, 20, 21, 22, 23, 24]]            [19, 20]]            [21, 22]]            [23, 24]]
```

The result may be a view of `x`: no number has to move.
""",
    why="A wrong reshape mixes tokens without any error, and the model still trains, badly.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "A reshape keeps the numbers in the order of memory. Which lie next to each other: tokens, heads or channels?",
        "(..., T, C) becomes (..., T, H, D) by cutting an axis, and then (..., H, T, D) by exchanging two.",
        "cut the last axis into (n_heads, D); exchange the axes of tokens and heads.",
        "x.unflatten(-1, (n_heads, D)) cuts the last axis; transpose(-3, -2) exchanges two axes.",
    ),
    tests=(
        Test("each head owns neighbouring channels of every token", _neighbours),
        Test("agrees with plain loops on one sequence", _one_sequence),
        Test("agrees with plain loops under leading dimensions", _leading),
        Test("a single head owns all channels", _one_head),
        draw.gradients("a gradient reaches x", ("x",), lambda rng: {"x": draw.normal(rng, 3, 10), "n_heads": 2}),
    ),
    wrong_answers={
        "reshaped_only": _wrong(
            "a reshape straight to (heads, T, D) cuts the tokens into heads: cut the channels, then exchange axes.",
            (
                "x.unflatten(-1, (n_heads, width // n_heads)).transpose(-3, -2)",
                "x.reshape(*x.shape[:-2], n_heads, x.shape[-2], width // n_heads)",
            ),
        ),
        "interleaved": _wrong(
            "heads take every n-th channel; a head owns D neighbouring ones, so n_heads comes before D in the cut.",
            ("(n_heads, width // n_heads)).transpose(-3, -2)", "(width // n_heads, n_heads)).movedim(-1, -3)"),
        ),
        "transposed_first": _wrong(
            "the tokens were exchanged with the channels before the cut, so heads mix tokens: cut first.",
            (
                "x.unflatten(-1, (n_heads, width // n_heads)).transpose(-3, -2)",
                "x.mT.reshape(*x.shape[:-2], n_heads, x.shape[-2], width // n_heads)",
            ),
        ),
        "same_channels": _wrong(
            "every head got the same channels, the first D.",
            (
                "x.unflatten(-1, (n_heads, width // n_heads)).transpose(-3, -2)",
                "x[..., None, :, : width // n_heads].repeat_interleave(n_heads, dim=-3)",
            ),
        ),
        "heads_reversed": _wrong(
            "the heads come in reverse order; head 0 owns the first channels.",
            (".transpose(-3, -2)", ".transpose(-3, -2).flip(-3)"),
        ),
        "channels_reversed": _wrong(
            "the channels inside each head come in reverse order.",
            (".transpose(-3, -2)", ".transpose(-3, -2).flip(-1)"),
        ),
        "no_gradient": _wrong(
            "the result is cut off from x (by detach, .data, torch.tensor or no_grad), so nothing before it learns.",
            ("x.unflatten", "x.detach().unflatten"),
        ),
    },
)
