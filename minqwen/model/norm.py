"""Layer normalisation, as in 2017, and with the root mean square, as before every attention and MLP of Qwen.

Ba, Kiros and Hinton 2016, "Layer Normalization" (arXiv:1607.06450), section 3; Zhang and Sennrich 2019, "Root Mean
Square Layer Normalization" (arXiv:1910.07467), section 4.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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


def fused_rms_norm(
    x: Float[Tensor, "*batch C"], weight: Float[Tensor, " C"], eps: float = 1e-6
) -> Float[Tensor, "*batch C"]:
    """`rms_norm` with its gradient written out, in half the passes over memory that autograd makes of the formula."""
    if torch.is_grad_enabled():
        return _RMSNorm.apply(x, weight, eps)
    return _divided(x, eps)[0].to(x.dtype) * weight


def _divided(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """n = x / r and 1 / r with r = √(mean(x²) + eps)."""
    wide = precision.widen(x)
    inverse = wide.square().mean(dim=-1, keepdim=True).add_(eps).rsqrt_()
    return wide * inverse, inverse


class _RMSNorm(torch.autograd.Function):
    """out = n · weight. The gradient of n loses its part along n, for n keeps its size when x grows, and is over r."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        n, inverse = _divided(x, eps)
        ctx.save_for_backward(n, inverse, weight)
        ctx.dtype = x.dtype
        return n.to(x.dtype) * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor, None]:
        """d_x = (d_n − n · mean(n · d_n)) / r with d_n = d_out · weight, and d_weight = Σ d_out · n over the tokens."""
        n, inverse, weight = ctx.saved_tensors
        d_out, wide_weight = precision.widen(d_out), precision.widen(weight)
        d_weight = d_out * n
        mean = (d_weight @ wide_weight)[..., None] / n.shape[-1]
        d_x = torch.addcmul(d_out * wide_weight, n, mean, value=-1).mul_(inverse)
        return d_x.to(ctx.dtype), d_weight.reshape(-1, n.shape[-1]).sum(dim=0).to(weight.dtype), None


class RMSNorm(nn.Module):
    """The learnable weight of `rms_norm`, and nothing else."""

    def __init__(self, d_model: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """`rms_norm` with this weight."""
        return fused_rms_norm(x, self.weight, self.eps)


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
