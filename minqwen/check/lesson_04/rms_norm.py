"""Exercise 4.1, the norm in front of every layer. Zhang and Sennrich 2019 (arXiv:1910.07467), section 4, equation 4."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import norm


def _loops(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    rows = []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        root = math.sqrt(sum(value * value for value in row) / len(row) + eps)
        rows.append([value / root * w for value, w in zip(row, weight.tolist())])
    return torch.tensor(rows, dtype=torch.float64).reshape(x.shape).to(x.dtype)


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _given(rng: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    return {"x": draw.normal(rng, *shape, dtype=dtype), "weight": draw.normal(rng, shape[-1], dtype=dtype)}


def _digits(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randint(1, 10, shape, generator=rng).float()


def _equal_sizes(rng: torch.Generator) -> list[Case]:
    signs = 2.0 * torch.randint(0, 2, (2, 3), generator=rng) - 1.0
    signs[0] = 1.0  # a row that a norm with a mean would wipe out
    weight = _digits(rng, 3)
    note = "in each row all channels have one size, which is then the root of the mean square"
    return [Case({"x": signs * _digits(rng, 2, 1), "weight": weight}, signs * weight, note)]


def _mean_square(rng: torch.Generator) -> list[Case]:
    given = {"x": _digits(rng, 2, 3), "weight": torch.ones(3)}
    return [Case(given, torch.ones(2), "", lambda out: out.square().mean(dim=-1), "the mean square of each row")]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 3)), _case(_given(rng, *draw.sizes(rng, 2)))]


def _scale(rng: torch.Generator) -> list[Case]:
    given = {"x": _digits(rng, 2, 3), "weight": draw.normal(rng, 3)}
    return [Case({**given, "x": 1000 * given["x"]}, _loops(**given), "x as drawn, times 1000")]


def _eps(rng: torch.Generator) -> list[Case]:
    zero = {"x": torch.zeros(1, 3), "weight": draw.normal(rng, 3)}
    large = [_case({**_given(rng, 2, 3), "eps": float(_digits(rng, 1)) / 4}) for _ in range(2)]
    return [_case(zero, "nothing but zeros"), *large]


def _leading(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 5), "a single token, shape (C,)"), _case(_given(rng, 2, 3, 5), "x is (B, T, C)")]


def _half(rng: torch.Generator) -> list[Case]:
    note = "the largest float16 is 65504, and the square of 300 is already more"
    return [
        _case({"x": (100 * _digits(rng, 2, 3) + 200).half(), "weight": draw.normal(rng, 3, dtype=torch.float16)}, note),
        _case(_given(rng, 2, 3, dtype=torch.bfloat16)),
    ]


_NAMES = ("x", "weight")
_SLOPES = draw.by_differences(_loops, *_NAMES)
_MEAN = "wide.square().mean(dim=-1, keepdim=True)"
_ONE_LESS = "wide.square().sum(dim=-1, keepdim=True) / (x.shape[-1] - 1)"

_wrong = partial(parts.mistake, norm.rms_norm)

EXERCISE = exercise.Implement(
    name="rms_norm",
    lesson="04_qwen_block",
    number="4.1",
    title="Divide by the root of the mean square",
    library=norm.rms_norm,
    faster=norm.fused_rms_norm,
    also_closed=(_loops,),
    in_model=True,
    twins=(F.rms_norm, torch.rms_norm),
    imports="from minqwen.model import precision  # precision.widen(x): half types become float32, others stay",
    statement="""\
Write `rms_norm(x, weight, eps=1e-6)`, which brings every token to the same size and then weights its channels:

$$\\text{result} = \\frac{x}{\\sqrt{\\text{mean}(x^2) + \\text{eps}}} \\cdot \\text{weight}$$

- `x` has shape `(..., C)`: tokens of C channels under any leading dimensions, also none. The mean runs over the C
  channels of one token, the **last** axis; each token has its own. No mean is subtracted, unlike in layer norm.
- `weight` has shape `(C,)`, a factor for each channel. `eps` is a small number **inside** the root: it keeps a token of
  zeros from being 0/0.
- The result has the shape and the dtype of x. Where x is float16 or bfloat16 (`weight` then is too) the mean is taken
  in **float32**: float16 ends at 65504, so the square of 300 is infinite in it. `precision.widen(x)`, which is imported
  for you, turns half types into float32 and leaves all others as they are.

For example, the token `[3., 4.]` has mean square (9 + 16) / 2 = 12.5, so with weight `[1., 1.]` it becomes
`[3, 4] / √12.5 = [0.849, 1.131]`.

`torch.nn.functional.rms_norm` (and `torch.nn.RMSNorm`) refuses while your function is checked.
""",
    why="Qwen does this before every attention and MLP, so that no layer needs to know how large the stream has grown.",
    points=3,
    minutes=12,
    difficulty=2,
    hints=(
        "A batch has many tokens. How many different means are there, and what does each of them run over?",
        "x (..., C) has means (..., 1), if the averaged axis is kept; weight (C,) meets the last axis by itself.",
        "widen x; mean of its squares over the last axis; add eps; divide the wide x by the root of that; "
        "back to the dtype of x; times weight.",
        "x.square().mean(dim=-1, keepdim=True) has shape (..., 1), and torch.rsqrt(m) is 1/√m.",
    ),
    tests=(
        Test("where all channels are of one size, the weight is left, with the signs of x", _equal_sizes),
        Test("with weight 1 every token has mean square 1", _mean_square),
        Test("agrees with plain loops", _values),
        Test("x times 1000 gives the same result", _scale),
        Test("eps stands inside the root", _eps),
        Test("leading dimensions pass through, and each token is by itself", _leading),
        Test("half types: squares are taken in float32, and the dtype of x comes back", _half),
        draw.types("a float64 result for a float64 x", _NAMES, lambda rng: _given(rng, 2, 3), (torch.float64,)),
        draw.slopes("the gradients of x and weight", _NAMES, lambda rng: _given(rng, 2, 3), _SLOPES),
    ),
    wrong_answers={
        "mean_subtracted": _wrong(
            "the mean is subtracted first; that is layer norm. Here x keeps its mean.",
            ("precision.widen(x)", "precision.widen(x - x.mean(dim=-1, keepdim=True))"),
        ),
        "standard_deviation": _wrong(
            "x is divided by its standard deviation, which measures from the mean; take the mean of the squares of x.",
            (_MEAN, "wide.var(dim=-1, correction=0, keepdim=True)"),
        ),
        "sum_for_mean": _wrong(
            "the squares are added up; divide by their number, so that the width of the model does not matter.",
            (".mean(", ".sum("),
        ),
        "mean_size": _wrong(
            "x is divided by the mean of |x|; squares come first, then the mean, then the root.",
            (_MEAN, "wide.abs().mean(dim=-1, keepdim=True).square()"),
        ),
        "no_root": _wrong(
            "x is divided by the mean square itself; the root is missing.",
            ("torch.rsqrt(", "torch.reciprocal("),
        ),
        "multiplied": _wrong(
            "x is multiplied by the root of its mean square; divide by it.",
            ("torch.rsqrt(", "torch.sqrt("),
        ),
        "eps_outside": _wrong(
            "eps is added to the root; it belongs inside, to the mean square.",
            (f"torch.rsqrt({_MEAN} + eps)", f"({_MEAN}.sqrt() + eps).reciprocal()"),
        ),
        "eps_missing": _wrong("eps has no effect, so a token of zeros is 0/0, NaN.", (" + eps))", "))")),
        "eps_fixed": _wrong("the argument eps has no effect: 1e-6 is only its default.", ("+ eps))", "+ 1e-6))")),
        "over_tokens": _wrong(
            "the mean runs over the tokens; it runs over the channels of one token, the last axis.",
            ("mean(dim=-1,", "mean(dim=-2,"),
        ),
        "over_everything": _wrong(
            "one mean is taken over all tokens together, so they see each other; each token has its own.",
            (_MEAN, "wide.square().mean()"),
        ),
        "weight_added": _wrong("the weight is added; it is a factor.", ("* weight", "+ weight")),
        "one_plus_weight": _wrong(
            "x is multiplied by 1 + weight, as in Gemma, which stores weights less 1; here they are the factors.",
            ("* weight", "* (1 + weight)"),
        ),
        "weight_lost": _wrong("the weight has no effect.", (" * weight", " + 0 * weight")),
        "squared_in_half": _wrong(
            "the squares are taken in the dtype of x: float16 ends at 65504, so they become infinite; widen x first.",
            ("precision.widen(x)", "x"),
        ),
        "cut_off": _wrong("the root is detached from x: a wrong gradient arrives.", ("+ eps))", "+ eps).detach())")),
        "one_less": _wrong("the squares are divided by C − 1, as for a variance; here it is C.", (_MEAN, _ONE_LESS)),
        "weighted_first": _wrong(
            "x is weighted before the mean is taken; the mean is of x alone, the weight comes last.",
            ("precision.widen(x)", "precision.widen(x * weight)"),
            (".to(x.dtype) * weight", ".to(x.dtype)"),
        ),
        "eps_squared": _wrong("eps is squared; it is added to the mean square as it is.", ("+ eps))", "+ eps * eps))")),
        "dtype_lost": _wrong(
            "the result is float32 whatever x is; bring it back to the dtype of x.",
            (".to(x.dtype)", ""),
        ),
    },
)
