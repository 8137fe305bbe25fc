"""Exercise 14.8, four bits. Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314), section 3."""

from functools import partial

import torch
from torch import Tensor

from minqwen.adapt import nf4
from minqwen.adapt.nf4 import NF4Weight
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(w, block=64):
    """Step by step, every distance to every level; the library bisects."""
    n, levels = w.numel(), nf4.nf4_levels()
    rows = torch.nn.functional.pad(w.flatten(), (0, -n % block)).reshape(-1, block)
    absmax = rows.abs().amax(dim=1)
    ratios = rows / absmax.where(absmax > 0, 1.0)[:, None]
    codes = (ratios[..., None] - levels).abs().argmin(dim=-1).flatten()[:n]
    codes = torch.nn.functional.pad(codes, (0, n % 2)).to(torch.uint8)
    packed = codes[0::2] * 16 + codes[1::2]
    return NF4Weight(packed, absmax, torch.tensor(w.shape))


def _loops(w: Tensor, block: int) -> NF4Weight:
    levels, values, codes, scales = nf4.nf4_levels().tolist(), w.flatten().tolist(), [], []
    for start in range(0, len(values), block):
        part = values[start : start + block]
        scales.append(max(abs(value) for value in part))
        for value in part:
            away = [abs((value / scales[-1] if scales[-1] else 0.0) - level) for level in levels]
            codes.append(away.index(min(away)))
    codes += [0] * (len(codes) % 2)
    packed = [16 * high + low for high, low in zip(codes[::2], codes[1::2])]
    return NF4Weight(torch.tensor(packed, dtype=torch.uint8), torch.tensor(scales), torch.tensor(w.shape))


def _case(w: Tensor, block: int, note: str = "") -> Case:
    return Case({"w": w, "block": block}, _loops(w, block), note)


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 2, 2), 4, "one block of four"), _case(draw.normal(rng, 2, 8), 16, "one block")]


def _blocks(rng: torch.Generator) -> list[Case]:
    w = draw.normal(rng, 3, 4) * torch.tensor([[1.0], [100.0], [0.01]])
    return [_case(w, 4, "three blocks of very different size"), _case(draw.normal(rng, 2, 6), 4, "a block spans rows")]


def _tail(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 2, 5), 4, "the last block has two weights"), _case(draw.normal(rng, 6), 64)]


def _odd(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 3, 5), 4, "an odd number of weights: the last low half is 0")]


def _zeros(rng: torch.Generator) -> list[Case]:
    w = draw.normal(rng, 3, 4)
    w[1] = 0.0
    return [_case(w, 4, "the second block is all zeros")]


def _tie(rng: torch.Generator) -> list[Case]:
    scale = 2.0 ** torch.randint(-3, 4, (), generator=rng)
    w = scale * torch.tensor([1.0, nf4.nf4_levels()[8].item() / 2])
    return [_case(w, 2, "the second lies in the middle between the levels 7 and 8: 7")]


_wrong = partial(parts.mistake, _reference)
_NEAREST = "(ratios[..., None] - levels).abs().argmin(dim=-1)"

EXERCISE = exercise.Implement(
    name="nf4_quantize",
    lesson="14_lora_qlora",
    number="14.8",
    title="Four bits a weight",
    library=nf4.nf4_quantize,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports=(
        "import torch\nfrom jaxtyping import Float\nfrom torch import Tensor\n\n"
        "from minqwen.adapt import nf4  # nf4.nf4_levels()\nfrom minqwen.adapt.nf4 import NF4Weight"
    ),
    statement="""\
Write `nf4_quantize(w, block=64)`, which returns `NF4Weight(packed, absmax, shape)`.

- Go through `w`, of any shape, in reading order, `block` weights at a time. The last block may be shorter.
- `absmax`, float32, holds for each block the largest **absolute** value in it.
- The code of a weight is the number, 0 to 15, of the level of `nf4.nf4_levels()` that is nearest to weight / absmax,
  of two equally near the lower one. In a block of zeros every code is 7: that level is 0.
- `packed`, uint8, holds two codes a byte, **the first in the high half**: 16 · first + second. If the number of weights
  is odd, the last low half is 0.
- `shape` is `torch.tensor(w.shape)`.

For example, `[1.0, -1.0]` has the codes 15 and 0, so `packed` is `[240]` and `absmax` `[1.0]`.
""",
    why="The layers of Qwen-7B shrink from 13 gigabytes to under 4 by this function.",
    points=4,
    minutes=18,
    difficulty=3,
    hints=(
        "Which four steps are there? What can go wrong in each: tails, signs, zeros, odd numbers?",
        "w as rows of (blocks, block); padding with zeros changes no largest absolute value.",
        "pad and reshape; largest absolute value of each row; divide; nearest level; cut to n; two codes a byte.",
        "(x[..., None] - levels) has a last axis of 16; argmin along it gives the nearest one.",
    ),
    tests=(
        Test("one block: its scale and the nearest levels", _one),
        Test("each block has a scale of its own", _blocks),
        Test("the last block may be shorter", _tail),
        Test("an odd number of weights", _odd),
        Test("a block of zeros stays zeros", _zeros),
        Test("of two levels equally near it is the lower one", _tie),
    ),
    wrong_answers={
        "low_first": _wrong(
            "the first of two codes is in the low half of the byte; it belongs in the high half.",
            ("codes[0::2] * 16 + codes[1::2]", "codes[0::2] + codes[1::2] * 16"),
        ),
        "signed_max": _wrong(
            "the scale is the largest value, not the largest absolute value; negative weights may be larger.",
            ("rows.abs().amax(dim=1)", "rows.amax(dim=1).abs()"),
        ),
        "one_scale": _wrong(
            "all blocks share one scale; each has its own.",
            ("rows.abs().amax(dim=1)", "rows.abs().amax().expand(len(rows)).clone()"),
        ),
        "mean_scale": _wrong(
            "the scale is the mean of the absolute values; it is the largest.", ("amax(dim=1)", "mean(dim=1)")
        ),
        "sign_lost": _wrong(
            "the signs are lost: divide the weights, not their absolute values.", ("rows / ", "rows.abs() / ")
        ),
        "rounded_down": _wrong(
            "each weight goes to the next level below; take the nearest.",
            (_NEAREST, "(ratios[..., None] >= levels).sum(dim=-1).clamp(min=1).sub(1)"),
        ),
        "zeros_divided": _wrong(
            "a block of zeros is divided by zero; its codes are 7.", (".where(absmax > 0, 1.0)", "")
        ),
        "odd_filled": _wrong(
            "with an odd number of weights the last low half is 7, the code of zero; 0 is asked for.",
            ("(0, n % 2))", "(0, n % 2), value=7)"),
        ),
        "upper": _wrong(
            "of two levels equally near the upper one is taken; take the lower one.",
            (
                "(ratios[..., None] - levels).abs().argmin(dim=-1)",
                "15 - (ratios[..., None] - levels.flip(0)).abs().argmin(dim=-1)",
            ),
        ),
        "scale_of_zeros": _wrong(
            "the scale of a block of zeros is 1; a 1 may stand in for dividing, the scale stays 0.",
            (
                "absmax = rows.abs().amax(dim=1)",
                "absmax = rows.abs().amax(dim=1)\n    absmax = absmax.where(absmax > 0, 1.0)",
            ),
        ),
        "by_halves": _wrong(
            "a byte holds a code of the first half of all and one of the second; it holds two neighbours.",
            ("codes[0::2] * 16 + codes[1::2]", "codes[: len(codes) // 2] * 16 + codes[len(codes) // 2 :]"),
        ),
        "even_steps": _wrong(
            "the levels are sixteen even steps from -1 to 1; take those of nf4.nf4_levels().",
            ("w.numel(), nf4.nf4_levels()", "w.numel(), torch.linspace(-1, 1, 16)"),
        ),
    },
)
