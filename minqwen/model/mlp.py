"""The feed-forward layer: two matrices in 2017, three in Qwen, one of them a gate (SwiGLU).

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.3, equation 2; Shazeer
2020, "GLU Variants Improve Transformer" (arXiv:2002.05202), section 2; the width 8/3 · C from the Qwen Technical Report
(arXiv:2309.16609), section 2.3.1.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def feed_forward(
    x: Float[Tensor, "*batch C"],
    w1: Float[Tensor, "F C"],
    b1: Float[Tensor, " F"],
    w2: Float[Tensor, "C F"],
    b2: Float[Tensor, " C"],
) -> Float[Tensor, "*batch C"]:
    """max(0, x W₁ᵀ + b₁) W₂ᵀ + b₂, the same for every token; weights are (out, in), as in `torch.nn.Linear`."""
    return (x @ w1.mT + b1).relu() @ w2.mT + b2


def swiglu(gate: Float[Tensor, "*batch F"], up: Float[Tensor, "*batch F"]) -> Float[Tensor, "*batch F"]:
    """silu(gate) · up, where silu(z) = z / (1 + e^(−z)); only the gate passes through the bend."""
    return F.silu(gate) * up


def ffn_width(d_model: int) -> int:
    """8/3 · d_model, its double rounded up to a multiple of 256 and halved: 4096 → 11008, 192 → 512.

    Three matrices of this width cost what two matrices of width 4 · d_model cost in the 2017 layer.
    """
    doubled = int(4 * 2 / 3 * d_model) * 2
    return (doubled + 255) // 256 * 256 // 2


class MLP(nn.Module):
    """The three matrices of SwiGLU: out = (silu(x Gᵀ) · x Uᵀ) Dᵀ, without biases."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=False)
        self.up_proj = nn.Linear(d_model, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
        """`swiglu` between its matrices."""
        return self.down_proj(swiglu(gate=self.gate_proj(x), up=self.up_proj(x)))
