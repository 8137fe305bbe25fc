"""Exercise 4.3, two matrices under the wrong names. Qwen Technical Report (arXiv:2309.16609), section 2.3.1: SwiGLU."""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(x: Tensor, w1: Tensor, w2: Tensor, c_proj: Tensor) -> Tensor:
    """The MLP of a Qwen whose file holds w1, w2 and c_proj: c_proj(w1(x) · silu(w2(x)))."""
    ours = {"gate_proj": w1, "up_proj": w2, "down_proj": c_proj}
    gate = F.linear(x, ours["gate_proj"])
    up = F.linear(x, ours["up_proj"])
    return F.linear(F.silu(gate) * up, ours["down_proj"])


def _loops(x: Tensor, w1: Tensor, w2: Tensor, c_proj: Tensor) -> Tensor:
    rows = []
    for row in x.tolist():
        ups, gates = ([sum(a * b for a, b in zip(weights, row)) for weights in w.tolist()] for w in (w1, w2))
        hidden = [u * z / (1 + math.exp(-z)) for u, z in zip(ups, gates)]
        rows.append([sum(a * b for a, b in zip(weights, hidden)) for weights in c_proj.tolist()])
    return torch.tensor(rows, dtype=torch.float64).to(x.dtype)


def _given(rng: torch.Generator, T: int, C: int, width: int) -> dict[str, Tensor]:
    shapes = {"x": (T, C), "w1": (width, C), "w2": (width, C), "c_proj": (C, width)}
    return {name: draw.normal(rng, *shape) for name, shape in shapes.items()}


def _shut(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 2, 3)
    given |= {"x": given["x"].abs() + 1.0, "w2": torch.full((3, 2), -30.0)}
    return [Case(given, torch.zeros(1, 2), "w2(x) is far below 0")]


def _linear(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 2, 3)
    return [Case({**given, "w1": 2 * given["w1"]}, 2 * _loops(**given), "w1 as drawn, times 2")]


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 2, 3), _given(rng, *draw.sizes(rng, 3))]
    return [Case(args, _loops(**args)) for args in given]


_CAUSES = {
    "a": Cause("w1 is taken for the gate and w2 for up; in the first Qwen's files it is the other way round."),
    "b": Cause(
        "c_proj has to be transposed.",
        "c_proj is (C, F), as F.linear wants it; transposed it would not fit, and torch would say so.",
    ),
    "c": Cause(
        "The model was trained with another bend than silu.",
        "the original computes silu as well, only of another matrix.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="04_gate_and_up",
    lesson="04_qwen_block",
    number="4.3",
    title="Two matrices under the wrong names",
    broken=broken,
    also_closed=(_loops,),
    mend=(('"gate_proj": w1, "up_proj": w2', '"gate_proj": w2, "up_proj": w1'),),
    imports="import torch\nfrom torch import Tensor\nfrom torch.nn import functional as F",
    symptom="""\
one = torch.tensor([[1.0]])
out = broken(x=one, w1=2 * one, w2=-20 * one, c_proj=one)
print("w1(x) · silu(w2(x)) = 2 · silu(-20) should be nearly 0, but:", out.item())""",
    statement=f"""\
A colleague loads the files of the first Qwen (2023) into our model. All tensors have the right shapes, nothing raises
an error, the weights are the original ones, and the model writes nonsense. `broken` is the MLP after loading.

- `x` is `(T, C)`; `w1` and `w2` are `(F, C)`, `c_proj` is `(C, F)`, each stored as (out, in), so that `w1(x)` is
  `F.linear(x, w1)`. The result is `(T, C)`.
- The first Qwen's own code computes `c_proj(w1(x) · silu(w2(x)))`, with silu(z) = z / (1 + e⁻ᶻ).

Write `fixed(x, w1, w2, c_proj)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="In the first Llama's code w1 is the gate, in the first Qwen's it is not, and no shape gives it away.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Of the two products, which one passes through silu here, and which in the first Qwen's own code?",
        "w1(x) and w2(x) are both (T, F), so they can be exchanged without any error.",
        "bend w2(x) with silu; multiply by w1(x); narrow it with c_proj.",
        "The gate is what silu bends: call the matrix inside silu gate_proj, and the other up_proj.",
    ),
    causes=_CAUSES,
    cause="a",
    tests=(
        Test("where w2(x) is far below 0, nothing passes", _shut),
        Test("w1 twice as large makes the result twice as large", _linear),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "silu_of_both": _wrong(
            "now both pass through silu; only w2(x) does.",
            ("F.silu(gate) * up", "F.silu(gate) * F.silu(up)"),
        ),
        "silu_of_product": _wrong(
            "now silu bends the product; it bends w2(x) alone, before the product.",
            ("F.silu(gate) * up", "F.silu(gate * up)"),
        ),
        "no_bend": _wrong("now nothing is bent; w2(x) passes through silu.", ("F.silu(gate)", "gate")),
        "only_the_gate": _wrong(
            "now w2 is the gate and up as well; w1 is up.",
            ('"gate_proj": w1', '"gate_proj": w2'),
        ),
    },
)
