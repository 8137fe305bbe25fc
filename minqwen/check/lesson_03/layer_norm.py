"""Exercise 3.2, the norm of 2017. Ba, Kiros and Hinton 2016 (arXiv:1607.06450), section 3, equation 4."""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import norm


def _loops(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    rows = []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        mean = sum(row) / len(row)
        variance = sum((value - mean) ** 2 for value in row) / len(row)
        scaled = [(value - mean) / math.sqrt(variance + eps) for value in row]
        rows.append([s * w + b for s, w, b in zip(scaled, weight.tolist(), bias.tolist())])
    return torch.tensor(rows, dtype=torch.float64).reshape(x.shape).to(x.dtype)


def _given(rng: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    weight, bias = (draw.normal(rng, shape[-1], dtype=dtype) for _ in range(2))
    return {"x": draw.normal(rng, *shape, dtype=dtype), "weight": weight, "bias": bias}


def _case(given: dict, note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _by_eye(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 2)
    middle = torch.randint(-9, 10, (1, 1), generator=rng).float()
    signs = torch.tensor([[-1.0, 1.0]])
    x = middle + 1000.0 * signs
    return [
        Case({**given, "x": x}, signs * given["weight"] + given["bias"], "two channels, 1000 on each side of a mean")
    ]


def _moments(rng: torch.Generator) -> list[Case]:
    given = {"x": 9 * draw.normal(rng, 2, 5), "weight": torch.ones(5), "bias": torch.zeros(5), "eps": 1e-12}
    read = {"read": lambda out: torch.stack([out.mean(-1), out.square().mean(-1)]), "reads": "means and mean squares"}
    return [Case(given, torch.tensor([[0.0, 0.0], [1.0, 1.0]]), "weight 1, bias 0", **read)]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 3)), _case(_given(rng, *draw.sizes(rng, 2)))]


def _mates(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 3, 5)
    expected = _loops(**given)[0]
    given["x"] = torch.cat([given["x"][:1], 100 * given["x"][1:] + 7])
    reads = "the first sequence of the result"
    return [Case(given, expected, "the second sequence is a hundred times as loud", lambda out: out[0], reads)]


def _eps(rng: torch.Generator) -> list[Case]:
    flat = {**_given(rng, 1, 3), "x": torch.full((1, 3), 4.0)}
    large = [
        _case({**_given(rng, 2, 3), "eps": float(torch.randint(1, 10, (1,), generator=rng)) / 4}) for _ in range(2)
    ]
    return [_case(flat, "all channels are equal"), *large]


def _leading(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 5), "a single token, shape (C,)"), _case(_given(rng, 2, 3, 5), "x is (B, T, C)")]


def _half(rng: torch.Generator) -> list[Case]:
    signs = torch.tensor([[-1.0, 1.0, 1.0, -1.0]])
    loud = (signs * (300.0 + 8 * torch.randint(0, 9, (1, 1), generator=rng))).half()
    given = {name: tensor.half() for name, tensor in _given(rng, 1, 4).items()}
    note = "the largest float16 is 65504, and the square of 300 is already more"
    return [_case({**given, "x": loud}, note), _case(_given(rng, 2, 3, dtype=torch.bfloat16))]


def _double(rng: torch.Generator) -> list[Case]:
    given, nothing = _given(rng, 2, 3, dtype=torch.float64), torch.empty(0, dtype=torch.float64)
    return [Case(given, nothing, "", lambda out: out.flatten()[:0], "the type of the result")]


_VARIANCE = "centred.square().mean(dim=-1, keepdim=True)"
_MEAN = "wide.mean(dim=-1, keepdim=True)"
_wrong = partial(parts.mistake, norm.layer_norm)

EXERCISE = exercise.Implement(
    name="layer_norm",
    lesson="03_transformer",
    number="3.2",
    title="Mean 0, variance 1, token by token",
    library=norm.layer_norm,
    also_closed=(_loops,),
    in_model=True,
    twins=(F.layer_norm, torch.layer_norm, torch.native_layer_norm),
    imports="from minqwen.model import precision  # precision.widen(x): half types become float32, others stay",
    statement="""\
Write `layer_norm(x, weight, bias, eps=1e-5)`, which gives every token mean 0 and variance 1, then a factor and a shift
for each channel:

$$\\text{result} = \\frac{x-\\text{mean}(x)}{\\sqrt{\\text{var}(x)+\\text{eps}}}\\cdot\\text{weight}+\\text{bias}$$

- `x` has shape `(..., C)`. Mean and variance run over the C channels of **one token**, the last axis; a token sees
  neither its neighbours nor the other texts of the batch.
- The variance is the mean of (x − mean)², divided by **C**, not by C − 1. `eps` stands **inside** the root.
- `weight` and `bias` are `(C,)`. The result has the shape and the dtype of x. Where x is float16 or bfloat16 mean and
  variance are taken in **float32**: `precision.widen(x)`, imported for you, raises half types and leaves the others.

For example, the token `[1., 3.]` has mean 2 and variance 1, so with weight `[1., 1.]` and bias `[0., 0.]` it becomes
`[-1., 1.]` (up to eps).

`torch.nn.functional.layer_norm` (and `torch.nn.LayerNorm`) refuses while your function is checked.
""",
    why="Whatever size and offset a token has reached, the next part reads it at one size: deep stacks can be trained.",
    points=3,
    minutes=12,
    difficulty=2,
    hints=(
        "How many means has a batch of B texts of T tokens? Of which numbers is each?",
        "x (..., C) has means and variances (..., 1), if the averaged axis is kept; weight, bias (C,) meet the last.",
        "widen x; subtract its mean; mean of the squares of that, plus eps; divide by the root; back to the dtype; "
        "times weight, plus bias.",
        "d.square().mean(dim=-1, keepdim=True) is the variance of x if d is x less its mean; torch.rsqrt(v) is 1/√v.",
    ),
    tests=(
        Test("two channels far apart become −1 and 1, then weight and bias", _by_eye),
        Test("with weight 1 and bias 0 a token has mean 0 and variance 1", _moments),
        Test("agrees with plain loops", _values),
        Test("a loud neighbour in the batch changes nothing", _mates),
        Test("eps stands inside the root", _eps),
        Test("leading dimensions pass through", _leading),
        Test("half types: mean and variance in float32, and the dtype of x comes back", _half),
        Test("a float64 result for a float64 x", _double),
        draw.gradients("a gradient reaches x, weight and bias", ("x", "weight", "bias"), lambda rng: _given(rng, 2, 5)),
    ),
    wrong_answers={
        "mean_kept": _wrong(
            "no mean is subtracted; that is rms_norm, which came later.",
            (f"wide - {_MEAN}", "wide"),
        ),
        "mean_kept_above": _wrong(
            "the variance is right, but what is divided is x itself; subtract the mean there as well.",
            ("scaled = centred", "scaled = wide"),
        ),
        "sample_variance": _wrong(
            "the squares are divided by C − 1, as torch's var() does by itself; here by C (correction=0).",
            (_VARIANCE, "wide.var(dim=-1, keepdim=True)"),
        ),
        "over_the_batch": _wrong(
            "mean and variance run over the first axis, so the texts of a batch see each other: that is batch norm.",
            (_MEAN, "wide.mean(dim=0, keepdim=True)"),
            (_VARIANCE, "centred.square().mean(dim=0, keepdim=True)"),
        ),
        "over_the_tokens": _wrong(
            "mean and variance run over the tokens of a text; they run over its channels, the last axis, dim=-1.",
            (_MEAN, "wide.mean(dim=min(1, wide.ndim - 1), keepdim=True)"),
            (_VARIANCE, "centred.square().mean(dim=min(1, wide.ndim - 1), keepdim=True)"),
        ),
        "over_everything": _wrong(
            "there is one mean and one variance for all tokens together; each token has its own.",
            (_MEAN, "wide.mean()"),
            (_VARIANCE, "centred.square().mean()"),
        ),
        "no_root": _wrong(
            "it is divided by the variance itself; the root is missing.", ("torch.rsqrt(", "torch.reciprocal(")
        ),
        "multiplied": _wrong("it is multiplied by the deviation; divide by it.", ("torch.rsqrt(", "torch.sqrt(")),
        "eps_outside": _wrong(
            "eps is added to the root; it belongs inside, to the variance.",
            (f"torch.rsqrt({_VARIANCE} + eps)", f"({_VARIANCE}.sqrt() + eps).reciprocal()"),
        ),
        "eps_missing": _wrong(
            "eps has no effect, so a token of equal channels is 0/0, NaN.", ("keepdim=True) + eps)", "keepdim=True))")
        ),
        "eps_fixed": _wrong(
            "the argument eps has no effect: 1e-5 is only its default.",
            ("keepdim=True) + eps)", "keepdim=True) + 1e-5)"),
        ),
        "weight_lost": _wrong("the weight has no effect.", ("* weight +", "+ 0 * weight +")),
        "bias_lost": _wrong("the bias has no effect.", ("* weight + bias", "* weight + 0 * bias")),
        "bias_weighted": _wrong(
            "the bias is added before the weight multiplies; it comes last.",
            (".to(x.dtype) * weight + bias", ".to(x.dtype).add(bias) * weight"),
        ),
        "squared_in_half": _wrong(
            "the squares are taken in the dtype of x: float16 ends at 65504, so they become infinite; widen x first.",
            ("precision.widen(x)", "x"),
        ),
        "dtype_lost": _wrong(
            "the result is float32 whatever x is; bring it back to the dtype of x.", (".to(x.dtype)", "")
        ),
    },
)
