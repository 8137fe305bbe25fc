"""Exercise 14.3, a scale that stands upside down. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.1."""

from functools import partial

import torch
from torch import Tensor

from minqwen.adapt import lora
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(x: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """What an adapter adds: alpha / rank times B A x, for x of shape (T, n)."""
    rank = a.shape[0]
    return rank / alpha * (x @ a.mT) @ b.mT


def _loops(x: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    rows = []
    for token in x.tolist():
        hidden = [alpha / len(a) * sum(t * w for t, w in zip(token, row)) for row in a.tolist()]
        rows.append([sum(h * w for h, w in zip(hidden, row)) for row in b.tolist()])
    return torch.tensor(rows)


def _case(rng: torch.Generator, T: int, n: int, m: int, rank: int, alpha: float) -> Case:
    sizes = {"x": (T, n), "a": (rank, n), "b": (m, rank)}
    given = {name: draw.normal(rng, *size) for name, size in sizes.items()} | {"alpha": alpha}
    return Case(given, _loops(**given), f"rank {rank}, alpha {alpha:g}")


def _small(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 1, 2, 3, 2, 8.0), _case(rng, 1, 2, 3, 3, 1.5)]


def _qwen(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 2, 67, 71, 64, 16.0)]


def _equal(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 3, 5, 2, 5, 5.0)]


_CAUSES = {
    "a": Cause("A and B are exchanged: B reads first.", "A reads: it is (R, n), and x has n numbers a token."),
    "b": Cause("The result is transposed.", "it is (T, m), as it should be."),
    "c": Cause("The scale is upside down: it grows with the rank, and alpha makes it smaller."),
}
_wrong = partial(parts.mistake, broken)
_SCALE = "rank / alpha * (x"

EXERCISE = exercise.Bug(
    name="14_exchanged",
    lesson="14_lora_qlora",
    number="14.3",
    title="A scale upside down",
    broken=broken,
    also_closed=(_loops, lora.lora_forward),
    mend=((_SCALE, "alpha / rank * (x"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
x, a, b = torch.ones(1, 1), torch.ones(8, 1), torch.ones(1, 8)
print("B A is 8; alpha 16 over rank 8 doubles it to 16, but:", broken(x, a, b, 16.0).item())""",
    statement=f"""\
With rank 8 and alpha 8 all is well. With rank 64 and alpha 16, the settings of Qwen's `finetune.py`, the first steps
throw the model off.

- `x` is `(T, n)`, `a` `(R, n)`, `b` `(m, R)`; the result is `(T, m)`: what the adapter adds.
- It should be scaled so that a learning rate found for one rank serves another.

Write `fixed(x, a, b, alpha)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Qwen's 16/64 is a quarter; upside down it is 4, sixteen times too much.",
    points=2,
    minutes=5,
    difficulty=1,
    hints=(
        "For which rank and alpha can the mistake not be seen?",
        "(T, n) to (T, R) to (T, m), as it is.",
        "the scale is a fraction; which of the two numbers is on top?",
        "alpha over rank.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("alpha over rank, by hand", _small),
        Test("the settings of Qwen", _qwen),
        Test("rank = alpha, where the scale is one", _equal),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "no_rank": _wrong("the rank is left out: then more rank means larger steps.", (_SCALE, "alpha * (x")),
        "root": _wrong(
            "alpha over the root of the rank is another method (rsLoRA); LoRA divides by the rank.",
            (_SCALE, "alpha / rank**0.5 * (x"),
        ),
        "no_alpha": _wrong("alpha is left out; it stands above the rank.", (_SCALE, "1 / rank * (x")),
        "by_width": _wrong(
            "n is taken for the rank; A is (R, n).", ("a.shape[0]", "a.shape[1]"), (_SCALE, "alpha / rank * (x")
        ),
        "none": _wrong("there is no scale at all.", (_SCALE, "1.0 * (x")),
    },
)
