"""Exercise 5.6, a softmax that need not wait for all its scores. Milakov and Gimelshein 2018 (arXiv:1805.02867)."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import flash

State = tuple[Tensor, Tensor, Tensor]
NOTHING = float("-inf")


def _loops(scores: Tensor, values: Tensor) -> State:
    """The state after all of these keys, from its definition."""
    if scores.ndim > 2:
        return tuple(map(torch.stack, zip(*(_loops(*each) for each in zip(scores, values)))))
    rows = []
    for row in scores.tolist():
        largest = max(row, default=NOTHING)
        shares = [math.exp(score - largest) if score > NOTHING else 0.0 for score in row]
        weighted = [sum(s * v for s, v in zip(shares, column)) for column in values.mT.tolist()]
        rows.append((largest, sum(shares), weighted))
    return tuple(torch.tensor(column, dtype=torch.float64).to(scores.dtype) for column in zip(*rows))


def _after(scores: Tensor, values: Tensor, met: int, note: str = "") -> Case:
    """The step that brings the keys behind the first `met` ones."""
    before = _loops(scores[..., :met], values[..., :met, :])
    given = {"state": before, "scores": scores[..., met:].clone(), "values": values[..., met:, :].clone()}
    return Case(given, _loops(scores, values), note)


def _by_hand(rng: torch.Generator) -> list[Case]:
    values = torch.randint(-9, 10, (3, 1), generator=rng).float()
    scores = torch.tensor([[1.0, 2.0, 4.0]]).log()
    return [_after(scores, values, 2, "two keys were met, with e^score 1 and 2; the third has 4, and is the largest")]


def _empty(rng: torch.Generator) -> list[Case]:
    return [_after(draw.normal(rng, 2, 3), draw.normal(rng, 3, 1), 0, "no key was met before")]


def _smaller(rng: torch.Generator) -> list[Case]:
    scores = draw.normal(rng, 2, 4).sort(dim=-1, descending=True).values
    return [_after(scores, draw.normal(rng, 4, 1), 2, "the new scores are smaller than those that were met")]


def _values(rng: torch.Generator) -> list[Case]:
    T, S, Dv = draw.sizes(rng, 3)
    return [
        _after(draw.normal(rng, 2, 4), draw.normal(rng, 4, 1), 2),
        _after(draw.normal(rng, T, S + 2), draw.normal(rng, S + 2, Dv), 2),
    ]


def _large(rng: torch.Generator) -> list[Case]:
    scores = torch.randint(-4, 5, (2, 4), generator=rng) / 4 + torch.tensor([[600.0], [-600.0]])
    return [_after(scores, draw.normal(rng, 4, 1), 2, "the scores are near 600 in row 0 and near -600 in row 1")]


def _hidden(rng: torch.Generator) -> list[Case]:
    scores = draw.normal(rng, 3, 4)
    scores[0, :2], scores[1], scores[2, 2:] = NOTHING, NOTHING, NOTHING
    note = "row 0 saw only hidden keys before, row 1 sees none at all, row 2 only now"
    return [_after(scores, draw.normal(rng, 4, 1), 2, note)]


def _leading(rng: torch.Generator) -> list[Case]:
    return [_after(draw.normal(rng, 2, 3, 5), draw.normal(rng, 2, 5, 1), 3)]


def _given(rng: torch.Generator) -> dict[str, Any]:
    return _after(draw.normal(rng, 2, 5), draw.normal(rng, 5, 2), 2).args


_wrong = partial(parts.mistake, flash.online_softmax_step)

EXERCISE = exercise.Implement(
    name="online_softmax_step",
    lesson="05_inference",
    number="5.6",
    title="A softmax in parts",
    library=flash.online_softmax_step,
    also_closed=(_loops,),
    in_model=True,
    imports="from minqwen.model.flash import SoftmaxState",
    statement="""\
Attention over keys that come in parts. What a query must remember of the keys it has met is a state of three:

$$m=\\max_s x_s,\\qquad l=\\sum_s e^{x_s-m},\\qquad o=\\sum_s e^{x_s-m}\\,v_s$$

with x the scores and v the values; o / l is the attention so far. Write `online_softmax_step(state, scores, values)`,
which takes in another part and returns the new (m, l, o):

- `state` is a tuple: m `(..., T)` and l `(..., T)`, a number for each of T queries, and o `(..., T, Dv)`.
- `scores` has shape `(..., T, S)`, `values` `(..., S, Dv)`: S new keys.
- When a larger score comes, the old sums were taken relative to a maximum that no longer holds: multiply them by
  e^(m − m′) to bring them to the new one, m′.
- A score of −∞ hides its key. A query that has met no key yet has m = −∞, l = 0, o = 0; if it meets hidden keys only,
  it stays so (careful: −∞ − (−∞) is NaN).
- Scores may be large; return a `SoftmaxState(m, l, o)` or a plain tuple of the three.

For example, after scores log 1 and log 2: m = log 2 and l = ½ + 1 = 1.5. Now comes log 4: m = log 4, the old sum
becomes 1.5 · 2/4 = 0.75, the new score adds 1, so l = 1.75. At once: (1 + 2 + 4) / 4 = 1.75.
""",
    why="It is the whole trick of flash attention: no row of weights ever has to exist.",
    points=4,
    minutes=18,
    difficulty=3,
    hints=(
        "l was summed relative to the old m. Which factor turns e^(x − m) into e^(x − m′)?",
        "m and the factor are (..., T); the new shares (..., T, S); l is (..., T), o (..., T, Dv).",
        "new maximum of m and the scores; factor e^(m − m'); shares e^(scores − m'); l = factor l + their sum; "
        "o = factor o + shares times values; where m' is −∞, subtract 0 instead.",
        "scores.amax(dim=-1) and torch.maximum find m'; masked_fill(m' == −∞, 0.0) makes the origin to subtract.",
    ),
    tests=(
        Test("a larger score shrinks what was summed before", _by_hand),
        Test("the first part: from an empty state", _empty),
        Test("smaller scores leave the maximum", _smaller),
        Test("agrees with plain loops over all keys at once", _values),
        Test("large scores do no harm", _large),
        Test("hidden keys add nothing, also where all were hidden", _hidden),
        Test("leading dimensions pass through", _leading),
        draw.gradients("a gradient reaches scores and values", ("scores", "values"), _given),
    ),
    wrong_answers={
        "nothing_shrinks": _wrong(
            "old sums are not brought to the new maximum; multiply them by e^(m − m′).",
            ("shrink = (m - origin).exp()", "shrink = (m - m).nan_to_num(0.0).exp()"),
        ),
        "total_not_shrunk": _wrong("o is brought to the new maximum, but l is not.", ("shrink * total", "total")),
        "values_not_shrunk": _wrong(
            "l is brought to the new maximum, but o is not.", ("shrink[..., None] * weighted", "weighted")
        ),
        "factor_inverted": _wrong(
            "the factor is e^(m′ − m), which blows the old sums up; they shrink by e^(m − m′).",
            ("(m - origin).exp()", "(origin - m.clamp(min=-1e4)).exp()"),
        ),
        "maximum_of_the_part": _wrong(
            "the new maximum forgets the old one: it is the larger of m and the new scores.",
            ("torch.maximum(m, scores.amax(dim=-1))", "scores.amax(dim=-1)"),
        ),
        "maximum_kept": _wrong(
            "the old maximum is kept although larger scores came.",
            ("torch.maximum(m, scores.amax(dim=-1))", "torch.where(m.isinf(), scores.amax(dim=-1), m)"),
        ),
        "past_forgotten": _wrong(
            "only the new part is summed; add it to the old sums.", ("shrink * total + ", "0 * total + ")
        ),
        "divided": _wrong(
            "o is divided by l already; keep the sums, the division comes after the last part.",
            (
                "shrink[..., None] * weighted + shares @ values)",
                "(shrink[..., None] * weighted + shares @ values) / total.clamp(min=1e-9)[..., None])",
            ),
        ),
        "values_unweighted": _wrong(
            "the values are summed without their shares e^(x − m′).", ("shares @ values", "(0 * shares + 1) @ values")
        ),
        "mean_for_sum": _wrong("l takes the mean of the shares; it is their sum.", ("shares.sum(", "shares.mean(")),
        "nan_rows": _wrong(
            "a query that met hidden keys only gets NaN: −∞ − (−∞). Subtract 0 there instead.",
            ('new_m.masked_fill(new_m == float("-inf"), 0.0)', "new_m"),
        ),
        "no_maximum": _wrong(
            "the shares are e^x as it is, which overflows above x = 88; subtract the maximum.",
            ('new_m.masked_fill(new_m == float("-inf"), 0.0)', "0 * scores[..., 0].nan_to_num(neginf=0.0)"),
        ),
        "no_gradient": _wrong(
            "the shares are cut off from the scores, so queries and keys never learn.",
            ("m, total, weighted = state", "m, total, weighted = state\n    scores = scores.detach()"),
        ),
    },
)
