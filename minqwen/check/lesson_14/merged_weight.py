"""Exercise 14.4, three matrices become one. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.1."""

from functools import partial

import torch
from torch import Tensor

from minqwen.adapt import lora
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(weight, a, b, scale):
    """W + scale · B A."""
    return weight + scale * b @ a


def _loops(weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    added = [[sum(y * x for y, x in zip(row, column)) for column in a.mT.tolist()] for row in b.tolist()]
    rows = [[w + scale * d for w, d in zip(*pair)] for pair in zip(weight.tolist(), added)]
    return torch.tensor(rows, dtype=torch.float64).to(weight.dtype)


def _given(rng: torch.Generator, m: int, n: int, rank: int, scale: float) -> dict[str, object]:
    sizes = {"weight": (m, n), "a": (rank, n), "b": (m, rank)}
    return {name: draw.normal(rng, *size) for name, size in sizes.items()} | {"scale": scale}


def _case(given: dict[str, object], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _small(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 3, 1, 0.5), "rank 1, scale 0.5")]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, *draw.sizes(rng, 3), scale)) for scale in (0.25, 2.0)]


def _square(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 3, 3, 3, 1.5), "all three are 3 x 3, so no shape complains")]


def _new(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 5, 2, 4.0)
    given["b"] = torch.zeros(2, 2)
    return [Case(given, given["weight"].clone(), "B is zero: nothing changes")]


_wrong = partial(parts.mistake, _reference)
_SUM = "weight + scale * b @ a"

EXERCISE = exercise.Implement(
    name="merged_weight",
    lesson="14_lora_qlora",
    number="14.4",
    title="One matrix in the place of three",
    library=lora.merged_weight,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch\nfrom jaxtyping import Float\nfrom torch import Tensor",
    statement="""\
Write `merged_weight(weight, a, b, scale)`: the one matrix that does to every x what `lora_forward(x, weight, a, b,
scale)` does.

- `weight` is `(m, n)`, `a` `(R, n)`, `b` `(m, R)`, `scale` a number.
- The result is a **new** `(m, n)`: the caller keeps `weight`, to undo the merge.

For example, `weight = [[1, 1]]`, `a = [[3, 0]]`, `b = [[2]]`, scale 0.5 gives `[[4, 1]]`.
""",
    why="Merged, an adapter costs no time at all: that is what earlier kinds of adapters could not do.",
    points=2,
    minutes=6,
    difficulty=1,
    hints=(
        "Which matrix does x meet first, A or B? What is their product as one matrix?",
        "(m, R) times (R, n) is (m, n).",
        "x Wᵀ + scale · (x Aᵀ) Bᵀ = x (W + ...)ᵀ.",
        "(B A)ᵀ = Aᵀ Bᵀ.",
    ),
    tests=(
        Test("a matrix of rank one is added, scaled", _small),
        Test("any sizes, any scale", _values),
        Test("B comes before A", _square),
        Test("a new adapter changes nothing", _new),
    ),
    wrong_answers={
        "scale_forgotten": _wrong(
            "the scale is forgotten: merged, the model says something else than before.", (_SUM, "weight + b @ a")
        ),
        "order": _wrong(
            "the two are multiplied in the wrong order where they are square; A reads first, so it stands right.",
            (_SUM, "weight + scale * (b @ a if len(a) < len(b) else a @ b if a.shape == b.shape else b @ a)"),
        ),
        "base_scaled": _wrong(
            "the scale multiplies the frozen matrix as well; it belongs to the adapter.",
            (_SUM, "scale * (weight + b @ a)"),
        ),
        "scale_twice": _wrong("the scale is multiplied in twice.", (_SUM, "weight + scale * b @ a * scale")),
        "divided_by_rank": _wrong(
            "the scale is divided by the rank once more; it is α / R already.",
            (_SUM, "weight + scale / len(a) * b @ a"),
        ),
        "divided": _wrong("the scale divides; it multiplies.", (_SUM, "weight + b @ a / scale")),
        "subtracted": _wrong("the adapter is subtracted, as in undoing a merge.", (_SUM, "weight - scale * b @ a")),
        "base_missing": _wrong("the frozen matrix is left out.", (_SUM, "scale * b @ a")),
        "averaged": _wrong("the two are averaged; they are added.", (_SUM, "(weight + scale * b @ a) / 2")),
    },
)
