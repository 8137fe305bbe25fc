"""Layer normalisation, as in 2017, and with the root mean square, as before every attention and MLP of Qwen.

Ba, Kiros and Hinton 2016, "Layer Normalization" (arXiv:1607.06450), section 3; Zhang and Sennrich 2019, "Root Mean
Square Layer Normalization" (arXiv:1910.07467), section 4.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minqwen.model import precision


def layer_norm(
    x: Float[Tensor, "*batch C"], weight: Float[Tensor, " C"], bias: Float[Tensor, " C"], eps: float = 1e-5
) -> Float[Tensor, "*batch C"]:
    """(x − mean(x)) / √(var(x) + eps) · weight + bias, along the last dimension; var divides by C, not by C − 1.

    The squares of half types lose their low bits, so mean and variance are taken in float32.
    """
    wide = precision.widen(x)
    centred = wide - wide.mean(dim=-1, keepdim=True)
    scaled = centred * torch.rsqrt(centred.square().mean(dim=-1, keepdim=True) + eps)
    return scaled.to(x.dtype) * weight + bias


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


class LayerNorm(nn.Module):
    """The learnable weight and bias of `layer_norm`, and nothing else."""

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """`layer_norm` with this weight and bias."""
        return layer_norm(x, self.weight, self.bias, self.eps)
