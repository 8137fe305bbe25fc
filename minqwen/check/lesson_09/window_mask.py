"""Exercise 9.7, only the last few keys. Beltagy et al. 2020, "Longformer" (arXiv:2004.05150), section 3.1."""

from functools import partial

import torch

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import long_context


def _reference(T, S, window):
    """The library's two lines, without its check."""
    behind = torch.arange(S - T, S)[:, None] - torch.arange(S)
    return (behind >= 0) & (behind < window)


def _loops(T: int, S: int, window: int) -> torch.Tensor:
    past = S - T
    rows = [[query + past - window < key <= query + past for key in range(S)] for query in range(T)]
    return torch.tensor(rows, dtype=torch.bool).reshape(T, S)


def _case(T: int, S: int, window: int, note: str = "") -> Case:
    return Case({"T": T, "S": S, "window": window}, _loops(T, S, window), note)


def _square(rng: torch.Generator) -> list[Case]:
    T, window = sorted(draw.sizes(rng, 2), reverse=True)
    return [_case(T, T, window), _case(T, T, T - 1, "only the first key is hidden, and from the last query")]


def _itself(rng: torch.Generator) -> list[Case]:
    (T,) = draw.sizes(rng, 1)
    return [Case({"T": T, "S": T, "window": 1}, torch.eye(T, dtype=torch.bool), "each sees itself")]


def _cached(rng: torch.Generator) -> list[Case]:
    window, T, S = sorted(draw.sizes(rng, 3))
    note = f"{S - T} earlier keys wait in the cache"
    return [_case(T, S, window, note), _case(1, S, window, "one new token, as in generation")]


def _wide(rng: torch.Generator) -> list[Case]:
    (T,) = draw.sizes(rng, 1)
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    return [Case({"T": T, "S": T, "window": T + extra}, causal, "a window that holds the text") for extra in (0, 3)]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="window_mask",
    lesson="09_long_context",
    number="9.7",
    title="Only the last few",
    library=long_context.window_mask,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `window_mask(T, S, window)`, the mask that shows each query its last few keys and nothing else.

- `T` is the number of queries, `S ≥ T` the number of keys; the result is a boolean tensor of shape `(T, S)`, **True
  where query t may attend to key s**.
- The queries are the *last* T of the S positions: query t stands at position t + S − T. It sees its own position and
  the `window` − 1 before it: `window` keys in all, fewer near the beginning of the text. `window` is 1 or more.
- It never sees the future.

For example, `window_mask(3, 4, 2)` is

```text
True   True   False  False      query 0 stands at position 1
False  True   True   False      query 1 stands at position 2
False  False  True   True       query 2 stands at position 3
```
""",
    why="A layer that looks back w tokens needs w products a token, however long the text is.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "How far behind a query is a key? Which of these distances may be seen when the window is 1, and when it is 2?",
        "A column of T positions minus a row of S positions is a table (T, S) of distances.",
        "distance = position of the query - position of the key; True where it is at least 0 and below the window.",
        "torch.arange(first, last)[:, None] makes a column; & joins two conditions on tensors, each in brackets.",
    ),
    tests=(
        Test("each query sees its last few, and not the future", _square),
        Test("a window of 1 shows each token itself", _itself),
        Test("a window as long as the text is the causal mask", _wide),
        Test("with a cache, queries stand at the end of the keys", _cached),
    ),
    wrong_answers={
        "one_too_many": _wrong(
            "one key too many: the token itself counts as one of the window.", ("behind < window", "behind <= window")
        ),
        "one_too_few": _wrong(
            "one key too few: a window of 1 shows the token itself.", ("behind < window", "behind < window - 1")
        ),
        "future_seen": _wrong(
            "the future is not hidden: the distance must also be at least 0.",
            ("(behind >= 0) & (behind < window)", "behind < window"),
        ),
        "both_sides": _wrong(
            "the window lies around the token; it ends at it, or the model sees its future.",
            ("(behind >= 0) & (behind < window)", "behind.abs() < window"),
        ),
        "no_window": _wrong(
            "this is the causal mask: nothing far back is hidden.", ("(behind >= 0) & (behind < window)", "behind >= 0")
        ),
        "far_only": _wrong(
            "what is far is shown and what is near hidden: a distance below the window is seen.",
            ("behind < window", "behind >= window"),
        ),
        "no_offset": _wrong(
            "the queries are taken to be the first of the positions; they are the last T of the S.",
            ("torch.arange(S - T, S)", "torch.arange(T)"),
        ),
        "turned_round": _wrong(
            "the distance has the wrong sign: each query sees its future and not its past.",
            ("torch.arange(S - T, S)[:, None] - torch.arange(S)", "torch.arange(S) - torch.arange(S - T, S)[:, None]"),
        ),
        "inverted": _wrong(
            "True and False are exchanged: True means that a key may be attended to.",
            ("(behind >= 0) & (behind < window)", "(behind < 0) | (behind >= window)"),
        ),
    },
)
