"""Exercise 1.2, the mask that hides the future. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3."""

from functools import partial

import torch

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import attention


def _loops(T: int, S: int) -> torch.Tensor:
    past = S - T
    rows = [[key <= query + past for key in range(S)] for query in range(T)]
    return torch.tensor(rows, dtype=torch.bool).reshape(T, S)


def _case(T: int, S: int, note: str = "") -> Case:
    return Case({"T": T, "S": S}, _loops(T, S), note)


def _square(rng: torch.Generator) -> list[Case]:
    (T,) = draw.sizes(rng, 1)
    return [_case(T, T), _case(1, 1), _case(3, 3)]


def _cached(rng: torch.Generator) -> list[Case]:
    T, S = sorted(draw.sizes(rng, 2))
    sizes = ((2, 5), (T, S))
    cached = [_case(T, S, f"{S - T} earlier keys wait in the cache") for T, S in sizes]
    return [*cached, _case(1, S, "one new token, as in generation")]


def _short(rng: torch.Generator) -> list[Case]:
    S, T = sorted(draw.sizes(rng, 2))
    return [_case(T, S, f"the first {T - S} queries have no key to look at") for T, S in ((5, 2), (T, S))]


_wrong = partial(parts.mistake, attention.causal_mask)

EXERCISE = exercise.Implement(
    name="causal_mask",
    lesson="01_attention",
    number="1.2",
    title="Hide the future",
    library=attention.causal_mask,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `causal_mask(T, S)`, the mask that keeps a token from looking into its future.

- `T` is the number of queries, `S` the number of keys; the result is a boolean tensor of shape `(T, S)`.
- `mask[t, s]` is **True where query t may attend to key s**, False where it may not.
- The queries are the *last* T of the S positions: query t stands at position t + S − T, and sees its own position
  and everything before it. So `mask[t, s]` is True exactly when s ≤ t + S − T.
- When T = S this is the usual lower triangle. When S > T, the first S − T keys come from a cache, and every query
  sees them all. When S < T, the first T − S queries stand before the first key: their rows are all False.

For example, `causal_mask(2, 4)` is

```text
True   True   True   False      query 0 stands at position 2
True   True   True   True       query 1 stands at position 3
```
""",
    why="A language model that can see the next token while it learns to predict it learns nothing.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "Write the rows for T = S = 3 on paper. Which triangle is True? What moves when two earlier keys are added?",
        "The result is (T, S) and bool. Rows are queries, columns are keys; the last query sees all S keys.",
        "start with all True (T, S); keep the lower triangle, its diagonal moved S - T places to the right.",
        "torch.ones(T, S, dtype=torch.bool).tril(diagonal=...) does it; which diagonal ends in the last corner?",
    ),
    tests=(
        Test("as many queries as keys: a query sees itself and its past", _square),
        Test("more keys than queries: every query also sees all that the cache holds", _cached),
        Test("fewer keys than queries: the first queries see nothing", _short),
    ),
    wrong_answers={
        "inverted": _wrong(
            "True and False are exchanged: True means that a key may be attended to.",
            ("return torch", "return ~torch"),
        ),
        "strict": _wrong(
            "a token cannot see itself; the diagonal belongs to the past.",
            ("diagonal=S - T", "diagonal=S - T - 1"),
        ),
        "sees_next": _wrong(
            "every query sees one token of its future; count positions from 0 on both sides.",
            ("diagonal=S - T", "diagonal=S - T + 1"),
        ),
        "no_offset": _wrong(
            "the triangle starts at the first key even when T and S differ; query t stands at position t + S − T.",
            ("diagonal=S - T", ""),
        ),
        "offset_reversed": _wrong(
            "the triangle is moved the wrong way when T and S differ: S − T is the number of past keys, not T − S.",
            ("diagonal=S - T", "diagonal=T - S"),
        ),
        "offset_clamped": _wrong(
            "with fewer keys than queries the triangle must move too: the first T − S rows are all False.",
            ("diagonal=S - T", "diagonal=max(S - T, 0)"),
        ),
        "upper": _wrong(
            "this is the other triangle: a query sees its future and not its past.",
            (".tril(", ".triu("),
        ),
        "all_true": _wrong(
            "nothing is hidden: every query sees every key.",
            (".tril(diagonal=S - T)", ""),
        ),
    },
)
