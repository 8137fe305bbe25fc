"""Exercise 14.1, a matrix and its adapter. Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.1."""

from functools import partial

import torch
from torch import Tensor

from minqwen.adapt import lora
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(x, weight, a, b, scale, dropped=None):
    """What the matrix gives, and what the adapter adds."""
    seen = x if dropped is None else dropped
    return x @ weight.mT + scale * (seen @ a.mT) @ b.mT


def _loops(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float, dropped: Tensor | None = None) -> Tensor:
    tokens, seen = (t.reshape(-1, t.shape[-1]).tolist() for t in (x, x if dropped is None else dropped))
    rows = []
    for token, given in zip(tokens, seen):
        hidden = [sum(g * w for g, w in zip(given, row)) for row in a.tolist()]
        added = [sum(h * w for h, w in zip(hidden, row)) for row in b.tolist()]
        rows.append([sum(t * w for t, w in zip(token, row)) + scale * y for row, y in zip(weight.tolist(), added)])
    return torch.tensor(rows, dtype=torch.float64).reshape(*x.shape[:-1], len(b)).to(x.dtype)


def _given(rng: torch.Generator, *batch: int, dropout: bool = False) -> dict[str, object]:
    n, m, rank = draw.sizes(rng, 3)
    sizes = {"x": (*batch, n), "weight": (m, n), "a": (rank, n), "b": (m, rank)}
    given: dict[str, object] = {name: draw.normal(rng, *size) for name, size in sizes.items()}
    given["scale"] = float(torch.randint(2, 7, (), generator=rng)) / 4 + 0.1
    return given | {"dropped": draw.normal(rng, *batch, n) if dropout else None}


def _case(given: dict[str, object], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _small(rng: torch.Generator) -> list[Case]:
    sizes = {"x": (1, 2), "weight": (3, 2), "a": (1, 2), "b": (3, 1)}
    given = {name: draw.normal(rng, *size) for name, size in sizes.items()}
    return [_case(given | {"scale": 0.5, "dropped": None}, "one token, n = 2, m = 3, rank 1")]


def _several(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 5)), _case(_given(rng, 2, 3), "x is (B, T, n)")]


def _new(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 3)
    given["b"] = torch.zeros_like(given["b"])
    return [_case(given, "B is zero, as at the start")]


def _dropped(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 3, dropout=True), "A reads dropped, W reads x")]


def _learns(rng: torch.Generator) -> dict[str, object]:
    return _given(rng, 3)


def _slopes(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float, dropped: None) -> dict[str, Tensor]:
    one = torch.ones(len(b))  # the sum of the result is what is differentiated
    read, written = x.sum(0), scale * (one @ b)
    return {
        "x": (one @ weight + written @ a).expand_as(x),
        "a": written[:, None] * read,
        "b": scale * (a @ read).expand_as(b),
    }


_wrong = partial(parts.mistake, _reference)
_ADAPTER = "scale * (seen @ a.mT) @ b.mT"

EXERCISE = exercise.Implement(
    name="lora_forward",
    lesson="14_lora_qlora",
    number="14.1",
    title="A matrix and its adapter",
    library=lora.lora_forward,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch\nfrom jaxtyping import Float\nfrom torch import Tensor",
    statement="""\
Write `lora_forward(x, weight, a, b, scale, dropped=None)`: what a frozen matrix and its adapter make of `x` together.

- `x` is `(..., n)`, `weight` `(m, n)`, as in `torch.nn.Linear`; the result is `(..., m)`.
- The adapter reads a token with `a`, `(R, n)`, and writes with `b`, `(m, R)`; what it writes is multiplied by `scale`
  and added to what `weight` gives.
- Dropout belongs to the adapter alone. If `dropped`, `x` after dropout, is given, the adapter reads it in place of `x`;
  `weight` always reads `x`.

For example, `x = [1, 2]`, `weight = [[1, 1]]`, `a = [[3, 0]]`, `b = [[2]]`, scale 0.5: 3 + 0.5 · 2 · 3 = 6.
""",
    why="This line is all of LoRA: the whole model of this lesson runs on yours.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "Through which two matrices does a token go on its way through the adapter, and how many numbers lie between?",
        "(..., n) to (..., R) to (..., m); weights are (out, in), so each is transposed.",
        "what weight gives of x, plus scale times b of (a of what the adapter reads).",
        "x @ weight.mT is one of the two terms.",
    ),
    tests=(
        Test("one token, by hand", _small),
        Test("every token of a batch goes through both", _several),
        Test("a new adapter adds nothing", _new),
        Test("dropout reaches the adapter and not the matrix", _dropped),
        draw.slopes("x, a and b have the gradients of the formula", ("x", "a", "b"), _learns, _slopes),
    ),
    wrong_answers={
        "scale_forgotten": _wrong("the scale is forgotten.", (_ADAPTER, "(seen @ a.mT) @ b.mT")),
        "scale_on_both": _wrong(
            "the scale multiplies what the frozen matrix gives as well; it belongs to the adapter.",
            (f"x @ weight.mT + {_ADAPTER}", "scale * (x @ weight.mT + (seen @ a.mT) @ b.mT)"),
        ),
        "scale_twice": _wrong("the scale is multiplied in twice.", (_ADAPTER, f"scale * {_ADAPTER}")),
        "divided": _wrong("the scale divides; it multiplies.", (_ADAPTER, "(seen @ a.mT) @ b.mT / scale")),
        "base_dropped": _wrong(
            "the frozen matrix reads the dropped x too; dropout belongs to the adapter.",
            ("x @ weight", "seen @ weight"),
        ),
        "never_dropped": _wrong("the adapter reads x though dropped is given.", ("seen @ a", "x @ a")),
        "divided_by_rank": _wrong(
            "the scale is divided by the rank once more; it is α / R already.",
            (_ADAPTER, "scale / len(a) * (seen @ a.mT) @ b.mT"),
        ),
        "base_cut_off": _wrong(
            "no gradient comes back to x through the frozen matrix; W does not learn, but what lies before it may.",
            ("x @ weight.mT", "(x @ weight.mT).detach()"),
        ),
        "base_missing": _wrong("the frozen matrix is left out.", ("x @ weight.mT + ", "0 * x @ weight.mT + ")),
        "subtracted": _wrong("the adapter is subtracted; it is added.", (f"+ {_ADAPTER}", f"- {_ADAPTER}")),
        "adapter_missing": _wrong("the adapter is left out.", (f" + {_ADAPTER}", f" + 0 * {_ADAPTER}")),
    },
)
