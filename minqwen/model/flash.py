"""Flash attention: softmax over keys that come in tiles, forward and backward, without ever holding all the weights.

Dao et al. 2022, "FlashAttention" (arXiv:2205.14135), section 3.1 and algorithms 1 and 4; the online softmax is Milakov
and Gimelshein 2018 (arXiv:1805.02867), section 3. The result is exact: tiles change the order of sums, nothing else.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from minqwen.model import precision, tiles


class SoftmaxState(NamedTuple):
    """What a query keeps of the keys it has met: m, the largest score; l = Σ e^(score − m); o = Σ e^(score − m) v."""

    maximum: Float[Tensor, "*batch T"]
    total: Float[Tensor, "*batch T"]
    weighted: Float[Tensor, "*batch T Dv"]


def empty_state(*shape: int, Dv: int, dtype: torch.dtype = torch.float32) -> SoftmaxState:
    """Before the first key: the largest of no scores is −∞, both sums are 0."""
    nothing = torch.zeros(*shape, Dv + 1, dtype=dtype)
    return SoftmaxState(torch.full(shape, float("-inf"), dtype=dtype), nothing[..., 0], nothing[..., 1:])


def online_softmax_step(
    state: tuple[Float[Tensor, "*batch T"], Float[Tensor, "*batch T"], Float[Tensor, "*batch T Dv"]],
    scores: Float[Tensor, "*batch T S"],
    values: Float[Tensor, "*batch S Dv"],
) -> SoftmaxState:
    """From (m, l, o) to m' = max(m, scores), l' = e^(m−m′) l + Σ e^(scores−m′), o' = e^(m−m′) o + Σ e^(scores−m′) v.

    o / l is the attention to all keys met so far. A score of −∞ hides its key.
    """
    m, total, weighted = state
    new_m = torch.maximum(m, scores.amax(dim=-1))
    # A query that has met hidden keys only would compute −∞ − (−∞); measured from 0, their shares are e^−∞ = 0.
    origin = new_m.masked_fill(new_m == float("-inf"), 0.0)
    shrink = (m - origin).exp()
    shares = (scores - origin[..., None]).exp_()
    total = shrink * total + shares.sum(dim=-1)
    return SoftmaxState(new_m, total, shrink[..., None] * weighted + shares @ values)


def flash_attention(
    q: Float[Tensor, "*batch T D"],
    k: Float[Tensor, "*kv_batch S D"],
    v: Float[Tensor, "*kv_batch S Dv"],
    causal: bool = False,
    block_q: int = 512,
    block_k: int = 512,
    window: int | None = None,
    is_token: Bool[Tensor, "*#kv_batch S"] | None = None,
) -> Float[Tensor, "*batch T Dv"]:
    """softmax(q kᵀ / √D) v, tile by tile. Kept for the backward pass: the result and one number a query.

    `causal` and `window` as in `tiles.Grid`; `is_token` is False on padding. k and v may have fewer heads, the axis
    before T and S, than q (grouped heads). A query that sees no key gets zeros.
    """
    grid = tiles.grid(q.shape[-2], k.shape[-2], causal, window, block_q, block_k)
    groups = _groups(q.shape[:-2], k.shape[:-2])
    N = k.shape[:-2].numel()
    if is_token is not None:
        is_token = _for_every_head(is_token, k.shape[:-1]).reshape(N, -1)
    folded = (q.reshape(N, groups, *q.shape[-2:]), k.reshape(N, *k.shape[-2:]), v.reshape(N, *v.shape[-2:]))
    return _Flash.apply(*folded, is_token, grid).reshape(*q.shape[:-1], v.shape[-1])


def _groups(of_queries: torch.Size, of_keys: torch.Size) -> int:
    """How many query heads share a key-value head."""
    if of_queries == of_keys:
        return 1
    if len(of_queries) != len(of_keys) or of_queries[:-1] != of_keys[:-1] or of_queries[-1] % of_keys[-1]:
        raise ValueError(
            f"queries with leading sizes {tuple(of_queries)} do not share keys with {tuple(of_keys)}: these must be "
            "equal, but for the heads (the last), where those of the keys divide those of the queries"
        )
    return of_queries[-1] // of_keys[-1]


def _for_every_head(is_token: object, shape: torch.Size) -> Tensor:
    fits = isinstance(is_token, Tensor) and is_token.dtype == torch.bool and 0 < is_token.ndim <= len(shape)
    if not fits or any(n not in (1, m) for n, m in zip(is_token.shape[::-1], shape[::-1])):
        given = f"{is_token.dtype} {tuple(is_token.shape)}" if isinstance(is_token, Tensor) else type(is_token).__name__
        raise ValueError(
            f"is_token is boolean, True = takes part, and broadcasts to the keys, (..., S) = {tuple(shape)}, but this "
            f"one is {given}; for padding of shape (B, S) use padding[:, None]"
        )
    return is_token.expand(shape)


class _Flash(torch.autograd.Function):
    """q (N, groups, T, D), k (N, S, D), v (N, S, Dv): the queries of a group lie under each other in a tile."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, is_token: Tensor | None, grid: tiles.Grid) -> Tensor:
        """Algorithm 1, and log Σ e^score of each query for the way back."""
        N, groups, T, _ = q.shape
        out = q.new_empty(N, groups, T, v.shape[-1])
        log_sum = precision.widen(q.new_empty(N, groups, T))
        for rows in grid.rows():
            queries = _scaled(q, rows)
            state = empty_state(*queries.shape[:2], Dv=v.shape[-1], dtype=queries.dtype)
            for keys in grid.keys(rows):
                scores = _scores(queries, k, is_token, grid, rows, keys)
                state = online_softmax_step(state, scores, precision.widen(v[:, keys]))
            m, total, weighted = state
            empty = total == 0
            out[:, :, rows] = (weighted / total.masked_fill(empty, 1.0)[..., None]).unflatten(1, (groups, -1))
            # +∞ for a query that saw nothing: on the way back its shares are e^(score − ∞) = 0.
            log_sum[:, :, rows] = (m + total.log()).masked_fill(empty, float("inf")).unflatten(1, (groups, -1))
        ctx.save_for_backward(q, k, v, is_token, out, log_sum)
        ctx.grid = grid
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Algorithm 4: the shares of each tile again, from its scores and the stored sums."""
        q, k, v, is_token, out, log_sum = ctx.saved_tensors
        d_q, d_k, d_v = (torch.zeros_like(precision.widen(x)) for x in (q, k, v))
        for rows in ctx.grid.rows():
            queries = _scaled(q, rows)
            d_rows, rows_out = (precision.widen(x[:, :, rows]).flatten(1, 2) for x in (d_out, out))
            inner = (d_rows * rows_out).sum(dim=-1, keepdim=True)
            d_queries = torch.zeros_like(queries)
            for keys in ctx.grid.keys(rows):
                shares = _scores(queries, k, is_token, ctx.grid, rows, keys)
                shares = shares.sub_(log_sum[:, :, rows].flatten(1, 2)[..., None]).exp_()
                d_v[:, keys].baddbmm_(shares.mT, d_rows)
                d_scores = (d_rows @ precision.widen(v[:, keys]).mT).sub_(inner).mul_(shares)
                d_queries.baddbmm_(d_scores, precision.widen(k[:, keys]))
                d_k[:, keys].baddbmm_(d_scores.mT, queries)
            d_q[:, :, rows] = (d_queries / q.shape[-1] ** 0.5).unflatten(1, (q.shape[1], -1))
        return d_q.to(q.dtype), d_k.to(k.dtype), d_v.to(v.dtype), None, None


def _scaled(q: Tensor, rows: slice) -> Tensor:
    """These queries over √D, (N, groups · rows, D); half types in float32, as all sums of a tile."""
    return precision.widen(q[:, :, rows]).flatten(1, 2) / q.shape[-1] ** 0.5


def _scores(
    queries: Tensor, k: Tensor, is_token: Tensor | None, grid: tiles.Grid, rows: slice, keys: slice
) -> Float[Tensor, "N t s"]:
    """The scores of one tile, −∞ where a key is hidden."""
    scores = queries @ precision.widen(k[:, keys]).mT
    mask = grid.mask(rows, keys)
    by_group = scores.unflatten(1, (-1, rows.stop - rows.start))
    if mask is not None:
        by_group.masked_fill_(~mask, float("-inf"))
    if is_token is not None:
        by_group.masked_fill_(~is_token[:, None, None, keys], float("-inf"))
    return scores
