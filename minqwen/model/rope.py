"""Rotary position embedding, in the half-split layout that Qwen uses.

Su et al. 2021, "RoFormer" (arXiv:2104.09864), section 3.2.2; Qwen Technical Report (arXiv:2309.16609), section 2.3.1:
the inverse frequencies are kept in float32.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from minqwen.model import precision


def rope_angles(
    positions: Int[Tensor, "*batch T"] | Float[Tensor, "*batch T"], d_head: int, base: float = 10000.0
) -> Float[Tensor, "*batch T {d_head//2}"]:
    """angles[..., t, i] = positions[..., t] · base^(−2i/d_head) in radians, for the pairs i = 0 … d_head/2 − 1.

    float32 at least: bfloat16 cannot tell position 257 from 256.
    """
    if d_head % 2:
        raise ValueError(
            f"d_head={d_head} is odd, but rotation turns pairs of channels; use {d_head - 1} or {d_head + 1}"
        )
    positions = precision.widen(positions) if positions.is_floating_point() else positions.float()
    pairs = torch.arange(0, d_head, 2, dtype=positions.dtype)
    return positions[..., None] * base ** (-pairs / d_head)


def apply_rope(x: Float[Tensor, "*batch T D"], angles: Float[Tensor, "*#batch T D//2"]) -> Float[Tensor, "*batch T D"]:
    """Pair i is (x[i], x[i + D/2]), turned by its angle a: (x₁ cos a − x₂ sin a, x₂ cos a + x₁ sin a).

    The result has the dtype of x; the rotation itself is computed in float32 or wider.
    """
    first, second = precision.widen(x).chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def fused_rope(x: Float[Tensor, "*batch T D"], angles: Float[Tensor, "*#batch T D//2"]) -> Float[Tensor, "*batch T D"]:
    """`apply_rope` in fewer passes over memory; the angles get no gradient."""
    signed = torch.cat([-angles, angles], dim=-1)
    return _Rotation.apply(x, signed) if torch.is_grad_enabled() else _turn(x, signed)


def _turn(x: Tensor, signed: Tensor) -> Tensor:
    """x cos(±a) + (x, its halves exchanged) sin(±a): −a in the first half, since cos(−a) = cos a, sin(−a) = −sin a."""
    wide = precision.widen(x)
    return torch.addcmul(wide * signed.cos(), wide.roll(x.shape[-1] // 2, dims=-1), signed.sin()).to(x.dtype)


class _Rotation(torch.autograd.Function):
    """The transpose of a rotation turns back, so the gradient of x is that of the result, turned by −a."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, signed: Tensor) -> Tensor:
        ctx.save_for_backward(signed)
        return _turn(x, signed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, None]:
        return _turn(d_out, -ctx.saved_tensors[0]), None
