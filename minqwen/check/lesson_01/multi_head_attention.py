"""Exercise 1.6, several attentions side by side. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, loops, parts
from minqwen.check.parts import Case, Test
from minqwen.model import attention


def _reference(x, wq, wk, wv, wo, n_heads, mask=None):
    """The library's body, with the parts called by the names that a learner's notebook leaves free."""
    q, k, v = (attention.split_heads(x @ w.mT, n_heads) for w in (wq, wk, wv))
    heads = attention.scaled_dot_product_attention(q, k, v, mask)
    return attention.merge_heads(heads) @ wo.mT


def _loops(
    x: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, wo: Tensor, n_heads: int, mask: Tensor | None = None
) -> Tensor:
    """Head by head, each on its own channels, in float64."""
    D = x.shape[-1] // n_heads
    q, k, v = (torch.einsum("...ti,oi->...to", x.double(), w.double()) for w in (wq, wk, wv))
    heads = [[part[..., h * D : (h + 1) * D] for part in (q, k, v)] for h in range(n_heads)]
    joined = torch.cat([loops.attention(*head, mask) for head in heads], dim=-1)
    return torch.einsum("...ti,oi->...to", joined, wo.double()).to(x.dtype)


def _given(rng: torch.Generator, T: int, H: int, D: int, *batch: int) -> dict[str, Any]:
    C = H * D
    weights = {name: draw.normal(rng, C, C) / C**0.5 for name in ("wq", "wk", "wv", "wo")}
    # Scores of a few units: between near-equal weights all mistakes look like rounding.
    weights["wq"], weights["wk"] = 2 * weights["wq"], 2 * weights["wk"]
    return {"x": draw.normal(rng, *batch, T, C), **weights, "n_heads": H}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _one_head(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 1, 2))]


def _heads(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 2, 1)), _case(_given(rng, 5, 2, 3)), _case(_given(rng, 2, 3, 5))]


def _batch(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 5, 3, 2, 2), "two sequences"), _case(_given(rng, 3, 2, 1, 2, 3), "x is (2, 3, T, C)")]


def _masked(rng: torch.Generator) -> list[Case]:
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    return [
        _case({**_given(rng, 3, 2, 1), "mask": mask}, "a causal mask"),
        _case({**_given(rng, 5, 2, 3, 2), "mask": draw.mask(rng, 5, 5)}),
    ]


def _output(rng: torch.Generator) -> list[Case]:
    given = {**_given(rng, 3, 2, 1), "wo": torch.eye(2)}
    expected = _loops(**given)[:, :1] @ torch.tensor([[0.0, 1.0]])
    note = "Wᴼ sends head 0 to channel 1, and head 1 nowhere"
    return [Case({**given, "wo": torch.tensor([[0.0, 0.0], [1.0, 0.0]])}, expected, note)]


def _token_order(rng: torch.Generator) -> list[Case]:
    given, order = _given(rng, 3, 2, 2), torch.tensor([2, 0, 1])
    return [Case({**given, "x": given["x"][order]}, _loops(**given)[order], "the tokens were moved: 2, 0, 1")]


_TENSORS = ("x", "wq", "wk", "wv", "wo")
_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="multi_head_attention",
    lesson="01_attention",
    number="1.6",
    title="Several heads, side by side",
    library=attention.multi_head_attention,
    reference=_reference,
    also_closed=(_loops,),
    twins=(F.multi_head_attention_forward, torch._native_multi_head_attention),
    imports="from minqwen.model import attention",
    statement="""\
Write `multi_head_attention(x, wq, wk, wv, wo, n_heads, mask=None)`: project, split into heads, attend in each head, put
the heads back together, project once more.

- `x` has shape `(..., T, C)`: T tokens of C channels. The four weights are `(C, C)`, stored as `(out, in)` as in
  `torch.nn.Linear`: the queries are `x @ wq.mT`, the keys `x @ wk.mT`, the values `x @ wv.mT`. No biases.
- Each is split into `n_heads` heads of D = C / n_heads channels, shape `(..., n_heads, T, D)`. Every head attends by
  itself, with scores divided by √D.
- `mask` is None or boolean, shape `(T, T)`, the same for all heads. **True means: may be attended to.**
- The heads' results are put next to each other, `(..., T, C)`, and multiplied by `wo.mT`: the result, `(..., T, C)`,
  of the type of x.

You may use your own functions, or three of the library: `attention.split_heads(x, n_heads)` gives
`(..., n_heads, T, D)`, `attention.scaled_dot_product_attention(q, k, v, mask)` works under any leading dimensions,
`attention.merge_heads(x)` undoes `split_heads`. `torch.nn.MultiheadAttention` refuses while your function is checked.
""",
    why="One head can look at one thing at a time; several can look at the previous word and the subject at once.",
    points=4,
    minutes=15,
    difficulty=3,
    hints=(
        "What is the shape right before the attention, and why can all heads run in one call?",
        "x and its projections (..., T, C); split (..., H, T, D); after attention (..., H, T, D); merged (..., T, C).",
        "q, k, v = project x by wq, wk, wv; split each; attend with the mask; merge; project by wo.",
        "split_heads(x @ wq.mT, n_heads) is q; after attending, merge_heads(...) @ wo.mT.",
    ),
    tests=(
        Test("a single head is attention between two projections", _one_head),
        Test("agrees with plain loops, head by head", _heads),
        Test("every sequence of a batch is by itself", _batch),
        Test("the mask holds in every head", _masked),
        Test("Wᴼ mixes the channels of the heads", _output),
        Test("when the tokens move, their results move with them", _token_order),
        draw.types("the result has the type of x and the weights", _TENSORS, lambda rng: _given(rng, 3, 2, 2)),
        draw.gradients("a gradient reaches x and all four weights", _TENSORS, lambda rng: _given(rng, 3, 2, 2)),
    ),
    wrong_answers={
        "no_output_projection": _wrong(
            "Wᴼ is missing: without it the heads stand side by side and are never mixed.",
            (" @ wo.mT", ""),
        ),
        "output_not_transposed": _wrong(
            "Wᴼ is used as (in, out); weights are (out, in), as in torch.nn.Linear, so multiply by wo.mT.",
            ("@ wo.mT", "@ wo"),
        ),
        "weights_not_transposed": _wrong(
            "the projections are used as (in, out); weights are (out, in), as in torch.nn.Linear: x @ w.mT.",
            ("x @ w.mT", "x @ w"),
        ),
        "nothing_transposed": _wrong(
            "all four weights are used as (in, out); they are (out, in), as in torch.nn.Linear: x @ w.mT.",
            ("x @ w.mT", "x @ w"),
            ("@ wo.mT", "@ wo"),
        ),
        "one_wide_head": _wrong(
            "n_heads has no effect: this is one head over all channels.",
            ("@ w.mT, n_heads)", "@ w.mT, 1)"),
        ),
        "merged_by_reshape": _wrong(
            "the heads were reshaped back without exchanging the axes first, so tokens mix; merge_heads does both.",
            ("attention.merge_heads(heads)", "heads.reshape(x.shape)"),
        ),
        "keys_and_values_exchanged": _wrong(
            "keys and values are exchanged: wk makes the keys, which are compared, wv the values, which are averaged.",
            ("(wq, wk, wv))", "(wq, wv, wk))"),
        ),
        "queries_and_keys_exchanged": _wrong(
            "queries and keys are exchanged: each token asks with wq, and is compared by its wk.",
            ("(wq, wk, wv))", "(wk, wq, wv))"),
        ),
        "keys_used_as_values": _wrong(
            "wv is not used: the values are made by wk.",
            ("(wq, wk, wv))", "(wq, wk, wk))"),
        ),
        "values_not_projected": _wrong(
            "wv is not used: the values are the channels of x themselves.",
            ("(q, k, v, mask)", "(q, k, attention.split_heads(x, n_heads), mask)"),
        ),
        "scale_by_d_model": _wrong(
            "the scores are divided by √C; what is added up is one head's D channels, so divide by √D.",
            ("(q, k, v, mask)", "(q / n_heads**0.5, k, v, mask)"),
        ),
        "scaled_twice": _wrong(
            "the scores are divided by √D twice; scaled_dot_product_attention does it already.",
            ("(q, k, v, mask)", "(q / q.shape[-1] ** 0.5, k, v, mask)"),
        ),
        "not_scaled": _wrong(
            "the scores are not divided by √D.",
            ("(q, k, v, mask)", "(q * q.shape[-1] ** 0.5, k, v, mask)"),
        ),
        "queries_used_as_keys": _wrong(
            "wk is not used: the keys are made by wq.",
            ("(wq, wk, wv))", "(wq, wq, wv))"),
        ),
        "mask_lost": _wrong(
            "the mask has no effect: it must be handed on to the attention.",
            ("(q, k, v, mask)", "(q, k, v)"),
        ),
        "mask_inverted": _wrong(
            "the mask is read the wrong way round: True means that a key may be attended to.",
            ("(q, k, v, mask)", "(q, k, v, None if mask is None else ~mask)"),
        ),
    },
)
