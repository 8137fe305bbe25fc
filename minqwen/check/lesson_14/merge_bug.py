"""Exercise 14.5, a merge that changes what is said. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.1."""

from functools import partial

import torch
from torch import Tensor

from minqwen.adapt import lora
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """The merged matrix, for an adapter that adds alpha / rank times B A x."""
    change = b @ a
    return weight + change


def _loops(weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """Column by column: what the layer and its adapter make of a 1 in one place."""
    columns = []
    for i in range(weight.shape[1]):
        written = [sum(y * row[i] for y, row in zip(out, a.tolist())) for out in b.tolist()]
        columns.append([w + alpha / len(a) * value for w, value in zip(weight[:, i].tolist(), written)])
    return torch.tensor(columns).mT.contiguous()


def _case(rng: torch.Generator, m: int, n: int, rank: int, alpha: float) -> Case:
    sizes = {"weight": (m, n), "a": (rank, n), "b": (m, rank)}
    given = {name: draw.normal(rng, *size) for name, size in sizes.items()} | {"alpha": alpha}
    return Case(given, _loops(**given), f"rank {rank}, alpha {alpha:g}")


def _small(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 2, 3, 2, 8.0)]


def _more(rng: torch.Generator) -> list[Case]:
    m, n, rank = draw.sizes(rng, 3)
    return [_case(rng, m, n, rank, 0.5), _case(rng, n, m, rank, 16.0)]


def _equal(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 5, 2, 3, 3.0)]


_CAUSES = {
    "a": Cause("The adapter's scale alpha / rank is left out of the merge."),
    "b": Cause("B A has to be transposed.", "B is (m, R) and A (R, n): their product lies as the weight does."),
    "c": Cause(
        "A merge rounds, so it always changes what is said.", "rounding moves the sixth digit; here the first moves."
    ),
}
_wrong = partial(parts.mistake, broken)
_SUM = "weight + change"

EXERCISE = exercise.Bug(
    name="14_merge_bug",
    lesson="14_lora_qlora",
    number="14.5",
    title="Merged, it says something else",
    broken=broken,
    also_closed=(_loops, lora.merged_weight),
    mend=((_SUM, "weight + alpha / len(a) * change"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
weight, a, b = torch.zeros(1, 1), torch.ones(2, 1), torch.ones(1, 2)
print("the adapter adds 8/2 · 2 = 8 to x = 1; merged it should still, but:", broken(weight, a, b, 8.0).item())""",
    statement=f"""\
A tuned model answers well. Merged and saved, it answers as if it had hardly been tuned. With rank 8 and alpha 8 nobody
noticed.

- `weight` is `(m, n)`, `a` `(R, n)`, `b` `(m, R)`; the adapter adds alpha / rank times B A x to what `weight` gives.
- The result should be the one matrix that does the same.

Write `fixed(weight, a, b, alpha)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="It can only be seen by comparing outputs before and after, which is why this lesson asserts it.",
    points=2,
    minutes=5,
    difficulty=1,
    hints=(
        "What does the adapter do to x = 1 before the merge? And after?",
        "(m, n), as weight is.",
        "the merged matrix is weight plus something times B A.",
        "len(a) is the rank, since A is (R, n).",
    ),
    causes=_CAUSES,
    cause="a",
    tests=(
        Test("the merged matrix does what both did, by hand", _small),
        Test("any sizes, any scale", _more),
        Test("rank = alpha, where the scale is one", _equal),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "upside_down": _wrong("the scale is upside down.", (_SUM, "weight + len(a) / alpha * change")),
        "alpha_alone": _wrong("alpha is there, but the rank is not.", (_SUM, "weight + alpha * change")),
        "no_alpha": _wrong("the rank is there, but alpha is not.", (_SUM, "weight + change / len(a)")),
        "by_width": _wrong("n is taken for the rank; A is (R, n).", (_SUM, "weight + alpha / a.shape[1] * change")),
        "subtracted": _wrong(
            "the adapter is subtracted, as in undoing a merge.", (_SUM, "weight - alpha / len(a) * change")
        ),
        "base_missing": _wrong("the frozen matrix is left out.", (_SUM, "alpha / len(a) * change")),
        "all_scaled": _wrong(
            "the scale multiplies the frozen matrix as well.", (_SUM, "alpha / len(a) * (weight + change)")
        ),
    },
)
