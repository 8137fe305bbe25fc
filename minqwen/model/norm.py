"""Root-mean-square layer normalisation.

Zhang and Sennrich 2019, "Root Mean Square Layer Normalization" (arXiv:1910.07467), section 4; used before every
attention and MLP of Qwen (arXiv:2309.16609, section 2.3.1).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minqwen.model import precision


def rms_norm(x: Float[Tensor, "*batch C"], weight: Float[Tensor, " C"], eps: float = 1e-6) -> Float[Tensor, "*batch C"]:
    """x / √(mean(x²) + eps) · weight, along the last dimension.

    The squares of half types lose their low bits, so the mean is taken in float32.
    """
    wide = precision.widen(x)
    return (wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)).to(x.dtype) * weight


class RMSNorm(nn.Module):
    """The learnable weight of `rms_norm`, and nothing else."""

    def __init__(self, d_model: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """`rms_norm` with this weight."""
        return rms_norm(x, self.weight, self.eps)
