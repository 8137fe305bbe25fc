"""Sinusoidal positional encoding: the 2017 answer to "where am I?".

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.5.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def sinusoidal_encoding(length: int, d_model: int) -> Float[Tensor, "{length} {d_model}"]:
    """PE[p, 2i] = sin(p / 10000^(2i/d_model)), PE[p, 2i+1] = cos(p / 10000^(2i/d_model)), p from 0."""
    if d_model % 2:
        raise ValueError(
            f"d_model={d_model} is odd, but sine and cosine come in pairs; use {d_model - 1} or {d_model + 1}"
        )
    frequencies = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
