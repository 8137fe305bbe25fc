"""Exercise 5.4, a cache that forgets where it is. Su et al. 2021, RoFormer (arXiv:2104.09864), section 3.2.2."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.model import rope


def broken(q: Tensor, k: Tensor, cached: Tensor) -> Tensor:
    """Scores of T new queries to the cached keys, which are turned already, and to the T new keys."""
    T, D = q.shape
    positions = torch.arange(T)
    angles = rope.rope_angles(positions, D)
    keys = torch.cat([cached, rope.apply_rope(k, angles)])
    return rope.apply_rope(q, angles) @ keys.mT / D**0.5


def _turned(x: list[float], position: int) -> list[float]:
    half, out = len(x) // 2, [0.0] * len(x)
    for i in range(half):
        a = position / 10000 ** (2 * i / len(x))
        out[i] = x[i] * math.cos(a) - x[i + half] * math.sin(a)
        out[i + half] = x[i + half] * math.cos(a) + x[i] * math.sin(a)
    return out


def _loops(q: Tensor, k: Tensor, cached: Tensor) -> Tensor:
    past = len(cached)
    keys = cached.tolist() + [_turned(key, past + t) for t, key in enumerate(k.tolist())]
    queries = [_turned(query, past + t) for t, query in enumerate(q.tolist())]
    scores = [[sum(a * b for a, b in zip(query, key)) / math.sqrt(len(query)) for key in keys] for query in queries]
    return torch.tensor(scores, dtype=torch.float64).to(q.dtype)


def _given(rng: torch.Generator, T: int, past: int, D: int) -> dict[str, Tensor]:
    return {"q": draw.normal(rng, T, D), "k": draw.normal(rng, T, D), "cached": draw.normal(rng, past, D)}


def _case(given: dict[str, Tensor], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 1, 3, 2), "one new token after three: it stands at position 3")]


def _distance(rng: torch.Generator) -> list[Case]:
    # The same key at every position: the score then only depends on how far back it stands.
    key, past = draw.normal(rng, 2), 4
    cached = torch.tensor([_turned(key.tolist(), p) for p in range(past)])
    given = {"q": draw.normal(rng, 1, 2), "k": key[None].clone(), "cached": cached}
    return [_case(given, "all five keys are the same key, turned to positions 0 to 4")]


def _several(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 3, 5, 4), "three new tokens after five"), _case(_given(rng, 2, 7, 6))]


def _none(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 3, 0, 2), "nothing is cached: the prompt")]


_CAUSES = {
    "a": Cause(
        "The cached keys should be turned again, together with the new ones.",
        "they were turned to their positions when they came in, and those do not change.",
    ),
    "b": Cause("The new tokens are turned to positions that count from 0 again, though they stand behind the cached."),
    "c": Cause(
        "The mask is missing, so new tokens look into the future.",
        "with one new token there is no future, and its scores are wrong all the same.",
    ),
}

_wrong = partial(parts.mistake, broken)
_POSITIONS = "positions = torch.arange(T)"

EXERCISE = exercise.Bug(
    name="05_cache_bug",
    lesson="05_inference",
    number="5.4",
    title="Lost in the text",
    broken=broken,
    also_closed=(_loops, _turned),
    mend=((_POSITIONS, "positions = torch.arange(len(cached), len(cached) + T)"),),
    imports="import torch\nfrom torch import Tensor\n\nfrom minqwen.model import rope",
    symptom="""\
word = torch.tensor([[1.0, 0.0]])
cached = torch.cat([rope.apply_rope(word, rope.rope_angles(torch.tensor([p]), 2)) for p in range(3)])
print("four times the same word; the scores should rise towards the last, but:", broken(word, word, cached))""",
    statement=f"""\
A model with a cache reads its prompt well. From the second new token on it writes nonsense, and without the cache it
does not. `broken(q, k, cached)` is the place: one head, one text, no mask.

- `q` and `k` are `(T, D)`: queries and keys of the T new tokens, not turned yet. `cached` is `(past, D)`: the keys of
  the tokens before them, each turned to its position when it came in.
- The result is `(T, past + T)`: q · k / √D of every new query and every key, all turned by RoPE. Positions count from 0
  at the first token of the text.

Write `fixed(q, k, cached)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="The model still writes words, since they are all near each other in the past that it sees: the bug hides.",
    points=3,
    minutes=10,
    difficulty=2,
    hints=(
        "Where does the first new token stand when three are cached? And which position does broken give it?",
        "positions is (T,), one for each new token; the cached keys have had theirs, 0 to past − 1.",
        "count on from the number of cached keys; angles for those positions; turn q and k, not cached.",
        "torch.arange(start, stop) counts from start to stop − 1.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("one new token, by plain loops", _one),
        Test("the same key scores by its distance alone", _distance),
        Test("several new tokens", _several),
        Test("an empty cache changes nothing", _none),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "cached_turned_again": _wrong(
            "now the cached keys are turned a second time; they have had their turn when they came in.",
            (_POSITIONS, "positions = torch.arange(len(cached) + T)"),
            ("torch.cat([cached, rope.apply_rope(k, angles)])", "rope.apply_rope(torch.cat([cached, k]), angles)"),
            ("rope.apply_rope(q, angles)", "rope.apply_rope(q, angles[len(cached) :])"),
        ),
        "one_too_far": _wrong(
            "the new tokens are one place too far: after `past` cached keys the next position is `past`.",
            (_POSITIONS, "positions = torch.arange(len(cached) + 1, len(cached) + 1 + T)"),
        ),
        "all_in_one_place": _wrong(
            "now all new tokens stand at one position; each is one further than the one before.",
            (_POSITIONS, "positions = torch.full((T,), len(cached))"),
        ),
        "only_keys": _wrong(
            "now the new keys count on from the cached keys, but the queries still start at 0.",
            ("rope.apply_rope(k, angles)", "rope.apply_rope(k, rope.rope_angles(positions + len(cached), D))"),
        ),
        "only_queries": _wrong(
            "now the queries count on from the cached keys, but the new keys still start at 0.",
            ("rope.apply_rope(q, angles)", "rope.apply_rope(q, rope.rope_angles(positions + len(cached), D))"),
        ),
    },
)
