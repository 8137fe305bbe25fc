"""Exercise 9.6, the factor on the wrong side. Qwen Technical Report (arXiv:2309.16609), section 2.5: LogN scaling."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.model import long_context


def broken(q: Tensor, k: Tensor, trained_length: int) -> Tensor:
    """q kᵀ / √D of the last T of S positions, each query made sharper by how many keys it sees."""
    factor = long_context.logn_scale(torch.arange(len(k)), trained_length)
    k = k * factor[:, None]
    return q @ k.mT / q.shape[-1] ** 0.5


def _loops(q: Tensor, k: Tensor, trained_length: int) -> Tensor:
    rows = []
    for t, query in enumerate(q.tolist()):
        sharper = max(1.0, math.log(t + len(k) - len(q) + 1, trained_length)) / math.sqrt(len(query))
        rows.append([sharper * sum(a * b for a, b in zip(query, key)) for key in k.tolist()])
    return torch.tensor(rows, dtype=torch.float64).to(q.dtype)


def _given(rng: torch.Generator, T: int, S: int, D: int, L: int) -> dict[str, Tensor | int]:
    return {"q": draw.normal(rng, T, D), "k": draw.normal(rng, S, D), "trained_length": L}


def _evenly(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 9, 2, 3)
    given["k"] = given["k"][:1].expand(9, 2).clone()
    reads = "how the scores of nine equal keys differ: not at all"
    return [Case(given, torch.zeros(1, 8), "all keys are equal", lambda out: out.diff(dim=-1), reads)]


def _short(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 3, 2, 5)
    return [Case(given, _loops(**given), "no longer than trained: plain scores")]


def _values(rng: torch.Generator) -> list[Case]:
    T, S, D = sorted(draw.sizes(rng, 3))
    given = [_given(rng, 3, 4, 2, 2), _given(rng, T + 1, S + D + 1, D, 2)]
    return [Case(args, _loops(**args)) for args in given]


_CAUSES = {
    "a": Cause(
        "The factor is too large: it should be the logarithm to base 10.",
        "a quotient of two logarithms is the same whatever their base.",
    ),
    "b": Cause(
        "The factor belongs to the query, by how many keys that query sees; on the keys it makes late keys louder than "
        "early ones within one row."
    ),
    "c": Cause(
        "The keys come from a cache, and have lost their positions.",
        "the keys are all there in their order, and their factors are those of their own positions.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="09_logn_on_keys",
    lesson="09_long_context",
    number="9.6",
    title="A factor on the wrong side",
    broken=broken,
    also_closed=(_loops,),
    mend=(("k = k * factor[:, None]", "q = q * factor[-len(q) :, None]"),),
    imports="import torch\nfrom torch import Tensor\n\nfrom minqwen.model import long_context",
    symptom="""\
scores = broken(torch.ones(1, 2), torch.ones(8, 2), trained_length=2)
print("eight equal keys should have equal scores for one query, but:", scores)""",
    statement=f"""\
`broken(q, k, trained_length)` computes scores with LogN. `q` is `(T, D)`, the queries of the last T positions; `k` is
`(S, D)`, all keys so far. The result is `(T, S)`. Without LogN it is q kᵀ / √D, which works and is not what is broken;
with it, the whole row of the query at position p is multiplied by max(1, ln(p + 1) / ln L).

Up to the trained length all is well. Past it, a text reads worse than without LogN.

Write `fixed(q, k, trained_length)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="The report's own sentence names the wrong pair of vectors; the shapes would allow several readings.",
    points=3,
    minutes=10,
    difficulty=3,
    hints=(
        "One query looks at eight equal keys. Which of them should it prefer, and which does it prefer here?",
        "factor is (S,), one for each position; q is (T, D) and stands at the last T positions.",
        "factors of all positions; take the last T; multiply each query by its own; keys stay as they are.",
        "factor[-T:], with T = len(q), are the factors of the queries' positions; [:, None] lets them meet (T, D).",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("equal keys have equal scores", _evenly),
        Test("up to the trained length the scores are the plain ones", _short),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "first_positions": _wrong(
            "now the queries have the factors of the first T positions; they stand at the last T of the S.",
            ("k = k * factor[:, None]", "q = q * factor[: len(q), None]"),
        ),
        "on_both": _wrong(
            "now queries and keys both have factors; only the queries have one.",
            ("k = k * factor[:, None]", "q, k = q * factor[-len(q) :, None], k * factor[:, None]"),
        ),
        "last_for_all": _wrong(
            "now every query has the factor of the last position; each has its own.",
            ("k = k * factor[:, None]", "q = q * factor[-1]"),
        ),
        "no_factor": _wrong("now there is no factor at all.", ("k = k * factor[:, None]", "q = q * 1.0")),
    },
)
