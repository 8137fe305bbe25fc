"""Exercise 14.2, an adapter that never learns. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.1."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(noise: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """A and B at the start, from standard normal numbers in the shape of A: at first the adapter adds nothing."""
    rank, n = noise.shape
    a = noise.new_zeros(rank, n)
    b = noise.new_zeros(m, rank)
    return a, b


def _loops(noise: Tensor, m: int) -> tuple[Tensor, Tensor]:
    root = noise.shape[1] ** 0.5
    a = [[value / root for value in row] for row in noise.tolist()]
    return torch.tensor(a), torch.tensor([[0.0] * len(a)] * m)


def _case(noise: Tensor, m: int, note: str = "") -> Case:
    return Case({"noise": noise, "m": m}, _loops(noise, m), note)


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 1, 4), 3, "rank 1, n = 4, m = 3")]


def _sizes(rng: torch.Generator) -> list[Case]:
    rank, n, m = draw.sizes(rng, 3)
    return [_case(draw.normal(rng, rank, n), m)]


_CAUSES = {
    "a": Cause("The learning rate is too small.", "no rate helps: both gradients are exactly 0 at every step."),
    "b": Cause(
        "The gradient of A is multiplied by B and that of B by A's output; both are zero, so both stay zero for ever."
    ),
    "c": Cause("B must not be zero at the start.", "it may, and shall: that is why nothing changes at first."),
}
_wrong = partial(parts.mistake, broken)
_A, _B = "a = noise.new_zeros(rank, n)", "b = noise.new_zeros(m, rank)"

EXERCISE = exercise.Bug(
    name="14_both_zero",
    lesson="14_lora_qlora",
    number="14.2",
    title="An adapter that never learns",
    broken=broken,
    also_closed=(_loops,),
    mend=((_A, "a = noise / n**0.5"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
a, b = (part.requires_grad_() for part in broken(torch.ones(2, 3), 4))
x, target = torch.ones(5, 3), torch.ones(5, 4)
print("after a step of learning A and B should have moved, but:")
for step in range(3):
    ((x @ a.mT @ b.mT - target) ** 2).sum().backward()
    print(f"  gradient of A {a.grad.abs().sum():.1f}, of B {b.grad.abs().sum():.1f}")""",
    statement=f"""\
An adapter starts by adding nothing. `broken` takes care of that, and yet after an hour of training the model says
exactly what it said before.

- `noise` is `(R, n)`, standard normal numbers; `m` is how many numbers the layer writes.
- The result is the pair `(a, b)`, of shapes `(R, n)` and `(m, R)`.
- A should be normal with deviation 1/√n, so that what it reads keeps its size: `noise` over √n. The product B A should
  be zero.

Write `fixed(noise, m)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Its shapes and its start are right, so a test of those accepts it; only a gradient tells.",
    points=2,
    minutes=6,
    difficulty=2,
    hints=(
        "What is the gradient of B? Which factor in it comes from A?",
        "Two tensors go out, of shapes (R, n) and (m, R), as before.",
        "one of the two stays zero, the other is the noise over the root of n.",
        "n ** 0.5 is the root.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("A is the noise over √n, B is zero, by hand", _one),
        Test("whatever the sizes", _sizes),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "not_scaled": _wrong("A is √n too large, so what it reads grows with the width.", (_A, "a = noise.clone()")),
        "by_n": _wrong("A is divided by n; the deviation is one over the root of n.", (_A, "a = noise / n")),
        "by_rank": _wrong("A is divided by the root of the rank; it reads n numbers.", (_A, "a = noise / rank**0.5")),
        "by_m": _wrong("A is divided by the root of m; it reads n numbers.", (_A, "a = noise / m**0.5")),
        "times": _wrong("A is multiplied by √n; what it reads grows with the width.", (_A, "a = noise * n**0.5")),
        "other_one": _wrong(
            "B learns nothing from an A of zeros, and it is A that is to be normal; B stays zero.",
            (_B, "b = noise.new_ones(m, rank)"),
        ),
        "b_not_zero": _wrong(
            "B is not zero, so the adapter changes the model before it has learned anything.",
            (_A, "a = noise / n**0.5"),
            (_B, "b = noise.new_ones(m, rank)"),
        ),
    },
)
