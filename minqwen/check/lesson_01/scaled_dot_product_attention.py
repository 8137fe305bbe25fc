"""Exercise 1.3, attention itself. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.1, equation 1."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, loops, parts
from minqwen.check.parts import Case, Test
from minqwen.model import attention


def _reference(q, k, v, mask=None):
    """The two functions of the library in one, without its refusal of masks that do not fit."""
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)  # where a query may see no key, 0 / 0 becomes 0
    return weights @ v


def _qkv(rng: torch.Generator, T: int, S: int, D: int, Dv: int, *batch: int) -> dict[str, Tensor]:
    shapes = {"q": (*batch, T, D), "k": (*batch, S, D), "v": (*batch, S, Dv)}
    return {name: draw.normal(rng, *shape) for name, shape in shapes.items()}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, loops.attention(**given), note)


def _by_hand(rng: torch.Generator) -> list[Case]:
    (D,) = draw.sizes(rng, 1)
    q, k = draw.normal(rng, 1, D), draw.normal(rng, 2, D)
    # Move the second key along q until its score, divided by √D, is log 3 above the other's.
    k[1] += q[0] * (math.sqrt(D) * math.log(3.0) - q[0] @ (k[1] - k[0])) / (q[0] @ q[0])
    v = torch.randint(-9, 10, (2, 1), generator=rng).float()
    note = "the scores differ by log 3 once they are divided by √D, so the weights are 1/4 and 3/4"
    return [Case({"q": q, "k": k, "v": v}, (v[:1] + 3 * v[1:]) / 4, note)]


def _small_and_large(rng: torch.Generator) -> list[dict[str, Tensor]]:
    return [_qkv(rng, T=2, S=3, D=2, Dv=1), _qkv(rng, *draw.sizes(rng, 4))]


def _masked(rng: torch.Generator) -> list[Case]:
    return [_case({**g, "mask": draw.mask(rng, len(g["q"]), len(g["k"]))}) for g in _small_and_large(rng)]


def _far_from_zero(rng: torch.Generator) -> list[Case]:
    q, v = torch.tensor([[10.0], [-10.0]]), draw.normal(rng, 3, 1)
    # Sixteenths, so that the scores are exact and only the softmax is judged.
    k = 10.0 + torch.randint(-4, 5, (3, 1), generator=rng) / 16
    return [_case({"q": q, "k": k, "v": v}, "the scores are near 100 in row 0 and near -100 in row 1")]


def _hidden(rng: torch.Generator) -> list[Case]:
    given = {**_qkv(rng, T=3, S=3, D=2, Dv=1), "mask": torch.ones(3, 3, dtype=torch.bool).tril()}
    louder = {**given, "k": given["k"] * torch.tensor([[1.0], [1.0], [30.0]])}
    note, reads = "key 2 is hidden from rows 0 and 1", "rows 0 and 1 of the result"
    return [Case(louder, loops.attention(**given)[:2], note, lambda out: out[:2], reads), _far_below(rng)]


def _far_below(rng: torch.Generator) -> Case:
    near = torch.randint(-4, 5, (3, 1), generator=rng) / 128  # the scores are whole numbers
    q, v, mask = torch.tensor([[-128.0]]), draw.normal(rng, 3, 1), torch.tensor([[True, True, False]])
    note = "key 2 is hidden, and all scores are near -131072"
    return Case({"q": q, "k": 1024 + near, "v": v, "mask": mask}, loops.attention(q, near, v, mask), note)


def _key_order(rng: torch.Generator) -> list[Case]:
    given = _qkv(rng, T=2, S=3, D=2, Dv=1)
    moved = {**given, "k": given["k"].roll(1, 0), "v": given["v"].roll(1, 0)}
    return [Case(moved, loops.attention(**given), "keys moved on")]


def _leading(rng: torch.Generator) -> list[Case]:
    given = _qkv(rng, 3, 5, 7, 2, 2, 3)
    shared = _case({**given, "mask": draw.mask(rng, 3, 5)}, "one mask for all sequences and heads")
    each = _case({**given, "mask": draw.mask(rng, 2, 1, 3, 5)}, "a mask for each sequence, the same for all heads")
    return [_case(given), shared, each]


def _no_key(rng: torch.Generator) -> list[Case]:
    return [_case({**_qkv(rng, 2, 2, 2, 1), "mask": torch.tensor([[False] * 2, [True, False]])}, "query 0 sees no key")]


_wrong = partial(parts.mistake, _reference)
_FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_NO_ZEROS = ("weights = weights.masked", "weights.masked")

EXERCISE = exercise.Implement(
    name="scaled_dot_product_attention",
    lesson="01_attention",
    number="1.3",
    title="Average the values by how well query and key agree",
    library=attention.scaled_dot_product_attention,
    faster=attention.fused_attention,
    in_model=True,
    reference=_reference,
    also_closed=(attention.attention_weights, loops.attention),
    twins=(F.scaled_dot_product_attention, torch._scaled_dot_product_attention_math, _FLASH),
    statement="""\
Write `scaled_dot_product_attention(q, k, v, mask=None)`:

$$\\text{result} = \\text{softmax}\\left(q\\,k^\\top / \\sqrt{D}\\right) v$$

- `q` has shape `(..., T, D)`: T queries of width D. `k` is `(..., S, D)` and `v` is `(..., S, Dv)`: S keys, each with a
  value. The dots stand for any leading dimensions (batch, heads), the same in all three. The result is `(..., T, Dv)`,
  and has their type.
- The scores `q kᵀ / √D` have shape `(..., T, S)`; the softmax runs over the S keys, so each query's weights sum to 1.
  Scores may be large, 100 or more.
- `mask` is None or boolean, of shape `(T, S)`, or `(..., T, S)` where leading sizes may be 1. **True means: this query
  may attend to this key.** Where it is False the weight is exactly 0, and the others still sum to 1.
- A query that may see no key at all gets a row of zeros (a softmax over nothing would be 0/0, NaN).

Small enough for paper: D = 1, one query `[[1.]]`, keys `[[0.], [0.]]`, values `[[2.], [6.]]`. Both scores are 0, both
weights ½, the result is `[[4.]]`. With `mask=[[True, False]]` it is `[[2.]]`.

`torch.nn.functional.scaled_dot_product_attention` and the library's functions refuse while your function is checked.
""",
    why="It is the one place in a Transformer where tokens exchange information.",
    points=4,
    minutes=15,
    difficulty=2,
    hints=(
        "For one query: which numbers must sum to 1, and along which axis do they lie?",
        "q (..., T, D) @ k.mT (..., D, S) gives (..., T, S); weights (..., T, S) @ v (..., S, Dv) gives (..., T, Dv).",
        "scores = q kᵀ / √D; where the mask is False, scores = -inf; weights = softmax over keys; "
        "where the mask is False, weights = 0 (for rows that see nothing); result = weights @ v",
        "scores.masked_fill(~mask, float('-inf')).softmax(dim=-1) are the weights, but for rows that see nothing.",
    ),
    tests=(
        Test("two keys, by hand: scores are divided by √D", _by_hand),
        Test("agrees with plain loops, without a mask", lambda rng: [_case(g) for g in _small_and_large(rng)]),
        Test("agrees with plain loops, with a mask", _masked),
        Test("large scores do no harm: softmax forgets what all scores of a row share", _far_from_zero),
        Test("what the mask hides cannot change the result", _hidden),
        Test("without a mask the order of the keys does not matter", _key_order),
        Test("leading dimensions pass through, and masks broadcast over them", _leading),
        Test("a query that may see no key gets zeros", _no_key),
        draw.types("the result has the type of q, k and v", ("q", "k", "v"), lambda rng: _qkv(rng, 2, 3, 5, 2)),
        draw.gradients("a gradient reaches q, k and v", ("q", "k", "v"), lambda rng: _qkv(rng, 2, 3, 5, 2)),
    ),
    wrong_answers={
        "no_scale": _wrong(
            "the scores are not divided by √D, so the softmax grows sharper with every channel.",
            (" / q.shape[-1] ** 0.5", ""),
        ),
        "scale_by_width": _wrong(
            "the scores are divided by D; their standard deviation grows like √D, so divide by that.",
            (" ** 0.5", ""),
        ),
        "no_maximum": _wrong(
            "eˣ overflows above x = 88: subtract the largest score of each row before exp, or use softmax, which does.",
            ("scores.softmax(dim=-1)", "scores.exp() / scores.exp().sum(dim=-1, keepdim=True)"),
        ),
        "softmax_over_queries": _wrong(
            "the softmax runs over the queries; each query's weights must sum to 1 over the keys, the last axis.",
            ("softmax(dim=-1)", "softmax(dim=-2)"),
        ),
        "mask_inverted": _wrong(
            "the mask is read the wrong way round: True means that a key may be attended to.",
            ("scores.masked_fill(~mask", "scores.masked_fill(mask"),
            ("weights.masked_fill(~mask", "weights.masked_fill(mask"),
        ),
        "mask_lost": _wrong(
            "the mask has no effect: masked_fill returns a new tensor, and that one was dropped.",
            ("scores = scores.masked", "scores.masked"),
            _NO_ZEROS,
        ),
        "mask_after_softmax": _wrong(
            "hidden keys took part in the softmax and were set to 0 after it, so the other weights sum to less than 1.",
            ("scores = scores.masked", "scores.masked"),
        ),
        "zero_for_hidden": _wrong(
            "hidden scores are set to 0, but e⁰ = 1 still takes a share of the softmax; only -inf takes none.",
            ('float("-inf")', "0.0"),
            _NO_ZEROS,
        ),
        "nan_rows": _wrong(
            "a query that may see no key gets NaN: its softmax is 0/0. Set those weights to 0 after the softmax.",
            _NO_ZEROS,
        ),
        "big_number_for_hidden": _wrong(
            "with a large negative number in place of -inf, a query that may see no key averages all of them.",
            ('float("-inf")', "-1e9"),
            _NO_ZEROS,
        ),
        "small_number_for_hidden": _wrong(
            "hidden scores are set to a number that other scores may fall below; only -inf lies below them all.",
            ('float("-inf")', "-20.0"),
            _NO_ZEROS,
        ),
    },
)
