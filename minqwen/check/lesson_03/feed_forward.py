"""Exercise 3.1, two matrices and a bend. Vaswani et al. 2017 (arXiv:1706.03762), section 3.3, equation 2."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import mlp


def _loops(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    rows = []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        sums = [sum(a * w for a, w in zip(row, ws)) + b for ws, b in zip(w1.tolist(), b1.tolist())]
        bent = [max(0.0, value) for value in sums]
        rows.append([sum(a * w for a, w in zip(bent, ws)) + b for ws, b in zip(w2.tolist(), b2.tolist())])
    return torch.tensor(rows, dtype=torch.float64).reshape(x.shape).to(x.dtype)


def _given(rng: torch.Generator, width: int, *shape: int) -> dict[str, Tensor]:
    C = shape[-1]
    shapes = {"x": shape, "w1": (width, C), "b1": (width,), "w2": (C, width), "b2": (C,)}
    return {name: draw.normal(rng, *shape) for name, shape in shapes.items()}


def _case(given: dict[str, Tensor], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _zero(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 3, 1, 2)
    shut = {**given, "x": torch.zeros(1, 2), "b1": -given["b1"].abs() - 1}
    return [Case(shut, given["b2"][None].clone(), "a token of zeros, and every hidden channel shut by its b₁")]


def _open(rng: torch.Generator) -> list[Case]:
    given = {**_given(rng, 2, 1, 2), "w1": torch.eye(2), "b1": torch.full((2,), 100.0)}
    given |= {"w2": torch.eye(2)}
    note = "both matrices are 1 and b₁ is so large that every channel is open"
    return [Case(given, given["x"] + 100.0 + given["b2"], note)]


def _values(rng: torch.Generator) -> list[Case]:
    width, T, C = draw.sizes(rng, 3)
    return [_case(_given(rng, 3, 1, 2)), _case(_given(rng, width, T, C))]


def _leading(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 7, 5), "a single token, shape (C,)"), _case(_given(rng, 7, 2, 3, 5), "x is (B, T, C)")]


_NAMES = ("x", "w1", "b1", "w2", "b2")
_wrong = partial(parts.mistake, mlp.feed_forward)

EXERCISE = exercise.Implement(
    name="feed_forward",
    lesson="03_transformer",
    number="3.1",
    title="Each token thinks by itself",
    library=mlp.feed_forward,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `feed_forward(x, w1, b1, w2, b2)`, the second half of every layer of 2017: widen each token, bend it, and bring it
back to its width.

$$\\text{result} = \\max(0,\\ x W_1^\\top + b_1)\\, W_2^\\top + b_2$$

- `x` has shape `(..., C)`: tokens of C channels under any leading dimensions. Each token is treated by itself.
- `w1` is `(F, C)` and `b1` is `(F,)`: from C channels to F hidden ones. `w2` is `(C, F)` and `b2` is `(C,)`: back to C.
  Weights are (out, in), as in `torch.nn.Linear`, so multiply by their transpose, `.mT`.
- max(0, ·), called relu, stands between the two, and only there. The result has the shape and the type of x.

For example, with C = F = 1, w1 = 2, b1 = −3, w2 = 10, b2 = 1: the token 2 becomes max(0, 4 − 3) · 10 + 1 = **11**, and
the token 1 becomes max(0, 2 − 3) · 10 + 1 = **1**.
""",
    why="Attention only averages values; without a bend between them two layers of it could not compute much more.",
    points=1,
    minutes=6,
    difficulty=1,
    hints=(
        "Which numbers can be negative before the bend, and can the result be negative after all?",
        "x (..., C) times w1.mT (C, F) gives (..., F); a bias meets the last axis; times w2.mT (F, C) gives (..., C).",
        "hidden = x times w1 transposed, plus b1; everything below 0 becomes 0; times w2 transposed, plus b2.",
        "A tensor has a method .relu(); `x @ w.mT` multiplies by the transpose.",
    ),
    tests=(
        Test("where every hidden channel is shut, b₂ is left", _zero),
        Test("where every hidden channel is open, the layer is a plain line", _open),
        Test("agrees with plain loops", _values),
        Test("leading dimensions pass through, and each token is by itself", _leading),
        draw.types("the result has the type of its arguments", _NAMES, lambda rng: _given(rng, 3, 2, 5)),
        draw.gradients(
            "a gradient reaches x, both matrices and both biases",
            _NAMES,
            lambda rng: {**_given(rng, 11, 2, 5), "b1": torch.rand(11, generator=rng)},
        ),
    ),
    wrong_answers={
        "no_bend": _wrong(
            "nothing is bent, so the two matrices are one; max(0, ·) stands between them.", (".relu()", "")
        ),
        "bent_at_the_end": _wrong(
            "the bend comes at the end, so no result is negative; it stands between the matrices.",
            ("(x @ w1.mT + b1).relu() @ w2.mT + b2", "((x @ w1.mT + b1) @ w2.mT + b2).relu()"),
        ),
        "bent_twice": _wrong(
            "the result is bent as well; max(0, ·) stands between the matrices, and only there.",
            ("(x @ w1.mT + b1).relu() @ w2.mT + b2", "((x @ w1.mT + b1).relu() @ w2.mT + b2).relu()"),
        ),
        "first_bias_missing": _wrong("b₁ has no effect.", ("+ b1)", "+ 0 * b1)")),
        "second_bias_missing": _wrong("b₂ has no effect.", ("+ b2", "+ 0 * b2")),
        "bias_after_the_bend": _wrong(
            "b₁ is added after the bend; it decides what is bent away, so it comes before.",
            ("(x @ w1.mT + b1).relu()", "((x @ w1.mT).relu() + b1)"),
        ),
        "matrices_exchanged": _wrong(
            "the two matrices are exchanged: w1 is (F, C) and comes first, as w1.mT; w2.mT brings F back to C.",
            ("x @ w1.mT", "x @ w2"),
            ("@ w2.mT", "@ w1"),
        ),
        "gelu": _wrong(
            "the bend is gelu, which GPT-2 uses; in 2017 it is max(0, ·).",
            ("(x @ w1.mT + b1).relu()", "F.gelu(x @ w1.mT + b1)"),
        ),
        "silu": _wrong(
            "the bend is silu, which Qwen's gate uses; in 2017 it is max(0, ·).",
            ("(x @ w1.mT + b1).relu()", "F.silu(x @ w1.mT + b1)"),
        ),
        "size_kept": _wrong("|·| is not max(0, ·): what is below 0 becomes 0.", (".relu()", ".abs()")),
        "residual_added": _wrong(
            "x is added to the result; that is the residual path, which the layer adds outside.",
            ("return ", "return x + "),
        ),
        "no_gradient": _wrong(
            "the first matrix is cut off (by detach, .data or no_grad), so it never learns.",
            ("(x @ w1.mT + b1)", "(x @ w1.detach().mT + b1)"),
        ),
    },
)
