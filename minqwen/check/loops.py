"""Oracles that several exercises share: formulas one number at a time, in Python's floats.

Attention as in Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.2.1, equation 1.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def attention(
    q: Float[Tensor, "*batch T D"],
    k: Float[Tensor, "*batch S D"],
    v: Float[Tensor, "*batch S Dv"],
    mask: Bool[Tensor, "*#batch T S"] | None = None,
) -> Float[Tensor, "*batch T Dv"]:
    """Σ_s exp(q·k_s / √D) v_s / Σ_s exp(q·k_s / √D) for every query, over the keys s that the mask allows."""
    if q.ndim > 2:
        masks = [None] * len(q) if mask is None else mask.expand(*q.shape[:-1], k.shape[-2])
        return torch.stack([attention(*parts) for parts in zip(q, k, v, masks)])
    rows = []
    for t, query in enumerate(q.tolist()):
        allowed = [s for s in range(len(k)) if mask is None or mask[t, s]]
        scores = [sum(a * b for a, b in zip(query, k[s].tolist())) / math.sqrt(len(query)) for s in allowed]
        total = sum(math.exp(score) for score in scores)
        row = [0.0] * v.shape[-1]
        for s, score in zip(allowed, scores):
            row = [r + math.exp(score) / total * value for r, value in zip(row, v[s].tolist())]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).to(q.dtype)
