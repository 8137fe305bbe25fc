"""Exercise 4.2, a gate with a bend. Shazeer 2020 (arXiv:2002.05202), section 2, equation 6."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import mlp


def _loops(gate: Tensor, up: Tensor) -> Tensor:
    pairs = zip(gate.flatten().tolist(), up.flatten().tolist())
    values = [z / (1 + math.exp(-z)) * u for z, u in pairs]
    return torch.tensor(values, dtype=torch.float64).reshape(gate.shape).to(gate.dtype)


def _given(rng: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    return {"gate": draw.normal(rng, *shape, dtype=dtype), "up": draw.normal(rng, *shape, dtype=dtype)}


def _case(given: dict[str, Tensor], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _zero(rng: torch.Generator) -> list[Case]:
    return [Case({"gate": torch.zeros(2, 3), "up": draw.normal(rng, 2, 3)}, torch.zeros(2, 3))]


def _far(rng: torch.Generator) -> list[Case]:
    gate = torch.randint(100, 130, (2, 3), generator=rng) * torch.tensor([[1.0], [-1.0]])
    up = draw.normal(rng, 2, 3)
    return [
        Case({"gate": gate, "up": up}, gate.clamp(min=0.0) * up, "the gates of row 0 are open, those of row 1 shut")
    ]


def _proportional(rng: torch.Generator) -> list[Case]:
    gate = draw.normal(rng, 1, 1).expand(1, 4).clone()
    up = torch.tensor([[-1.0, 1.0, 2.0, 3.0]])
    read = {"read": lambda out: out / out[:, 1:2], "reads": "the result, divided by its channel 1"}
    return [Case({"gate": gate, "up": up}, up, "the same gate for all channels", **read)]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 3)), _case(_given(rng, *draw.sizes(rng, 2)))]


def _leading(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 5), "a single token, shape (F,)"), _case(_given(rng, 2, 3, 5), "shape (B, T, F)")]


def _dtypes(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 3, dtype=dtype)) for dtype in (torch.float64, torch.bfloat16)]


_SLOPES = draw.by_differences(_loops, "gate", "up")

_wrong = partial(parts.mistake, mlp.swiglu)

EXERCISE = exercise.Implement(
    name="swiglu",
    lesson="04_qwen_block",
    number="4.2",
    title="Let the gate decide what passes",
    library=mlp.swiglu,
    also_closed=(_loops,),
    in_model=True,
    imports="from torch.nn import functional as F",
    statement="""\
Write `swiglu(gate, up)`, what stands between the matrices of Qwen's MLP:

$$\\text{result} = \\text{silu}(\\text{gate}) \\cdot \\text{up}, \\qquad \\text{silu}(z) = \\frac{z}{1 + e^{-z}}$$

- `gate` and `up` have the same shape, `(..., F)`: two projections of the same tokens to F channels. The result has
  their shape and their dtype.
- Everything happens number by number. Only the gate passes through the bend; `up` is multiplied as it is.
- silu(z), which equals z times the sigmoid of z, is nearly z far above 0 and nearly 0 far below: there the gate is
  shut. It must give a number for every z, also for z = 120.

For example, silu(2) = 2 / (1 + e⁻²) = 1.762, so gate `[2., 0., -20.]` and up `[3., 3., 3.]` give `[5.285, 0., -0.]`
(the last is −1.2 · 10⁻⁷).

You may use torch's own functions, `F.silu` (from torch.nn.functional, which is imported as F) too.
""",
    why="At equal size gated layers did better than plain ones (Shazeer 2020), and Llama and Qwen took this one.",
    points=1,
    minutes=5,
    difficulty=1,
    hints=(
        "If up becomes twice as large, what happens to the result? And if gate does?",
        "gate (..., F), up (..., F) and the result (..., F): nothing is added up, no axis moves.",
        "bend the gate with silu; multiply by up, number by number.",
        "F.silu(z), or z * torch.sigmoid(z), is the bend; then comes a product.",
    ),
    tests=(
        Test("a gate of 0 lets nothing through", _zero),
        Test("far above 0 the gate passes gate · up, far below 0 nothing", _far),
        Test("agrees with plain loops", _values),
        Test("under one gate the result is proportional to up", _proportional),
        Test("leading dimensions pass through", _leading),
        Test("the result has the dtype of its arguments", _dtypes),
        draw.slopes("the gradients of gate and up", ("gate", "up"), lambda rng: _given(rng, 2, 3), _SLOPES),
    ),
    wrong_answers={
        "exchanged": _wrong(
            "gate and up are exchanged: the gate passes through silu, up is multiplied as it is.",
            ("F.silu(gate) * up", "F.silu(up) * gate"),
        ),
        "sigmoid": _wrong(
            "the bend is the sigmoid, which makes it the GLU of 2016; silu(z) is z times the sigmoid of z.",
            ("F.silu(gate)", "gate.sigmoid()"),
        ),
        "sigmoid_of_up": _wrong(
            "up passes through a sigmoid, as the second half does in torch's glu; here the gate passes through silu.",
            ("F.silu(gate) * up", "gate * up.sigmoid()"),
        ),
        "relu": _wrong("the bend is relu, which makes it ReGLU; Qwen bends with silu.", ("F.silu", "F.relu")),
        "sigmoid_cut_off": _wrong(
            "the sigmoid is cut off from the gate (by detach or no_grad): a gradient arrives, but another one.",
            ("F.silu(gate)", "gate * gate.detach().sigmoid()"),
        ),
        "steeper": _wrong(
            "this is z times the sigmoid of 1.702 z, which stands in for gelu; silu has no factor.",
            ("F.silu(gate)", "gate * (1.702 * gate).sigmoid()"),
        ),
        "softplus": _wrong(
            "the bend is softplus, log(1 + eᶻ), which is above 0 everywhere; silu(0) is 0.",
            ("F.silu", "F.softplus"),
        ),
        "softmax": _wrong(
            "the gate passes through a softmax, so that channels see each other; silu treats each number by itself.",
            ("F.silu(gate)", "gate.softmax(dim=-1)"),
        ),
        "bent_twice": _wrong("the gate is bent twice.", ("F.silu(gate)", "F.silu(F.silu(gate))")),
        "gelu": _wrong("the bend is gelu, which makes it GEGLU; Qwen bends with silu.", ("F.silu", "F.gelu")),
        "no_bend": _wrong("the gate is not bent at all; it passes through silu.", ("F.silu(gate)", "gate")),
        "sign_lost": _wrong(
            "this is z / (1 + eᶻ); the exponent of silu is −z, so that large gates are open.",
            ("F.silu(gate)", "gate * (-gate).sigmoid()"),
        ),
        "silu_of_both": _wrong("both pass through silu; up is multiplied as it is.", ("* up", "* F.silu(up)")),
        "silu_of_product": _wrong(
            "the product passes through silu; bend the gate first, then multiply.",
            ("F.silu(gate) * up", "F.silu(gate * up)"),
        ),
        "added": _wrong("up is added; a gate multiplies.", ("* up", "+ up")),
        "up_lost": _wrong("up has no effect.", ("* up", "* up / up")),
        "overflow": _wrong(
            "z eᶻ / (1 + eᶻ) is right on paper, but eᶻ is infinite in float32 from z = 89 on, and inf/inf is NaN.",
            ("F.silu(gate)", "gate * gate.exp() / (1 + gate.exp())"),
        ),
        "no_gradient": _wrong(
            "the gate is cut off from its projection (by detach, .data or no_grad), so that one never learns.",
            ("F.silu(gate)", "F.silu(gate.detach())"),
        ),
    },
)
