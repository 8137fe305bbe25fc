"""The objective of pre-training: say the next token; and the mean that it takes over the tokens that count.

Qwen Technical Report (arXiv:2309.16609), section 2.4, after Radford et al. 2018.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from minqwen.model import precision


def masked_mean(values: Float[Tensor, "*batch T"], mask: Bool[Tensor, "*batch T"]) -> Float[Tensor, "*batch"]:
    """Σ values[t] / count over the positions t where mask is True, for each row by itself; 0 for a row without any."""
    kept = values.where(mask, 0.0)
    return kept.sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)


def mean_over(values: Float[Tensor, "*batch T"], mask: Bool[Tensor, "*batch T"]) -> Float[Tensor, ""]:
    """Σ values / count over all positions of all rows where mask is True; 0 without any."""
    return masked_mean(values.flatten(), mask.flatten())


def next_token_loss(
    logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
) -> Float[Tensor, ""]:
    """−mean log softmax(logits)[b, t, targets[b, t]] in nats a token, over the positions where mask is True.

    targets[b, t] is the token after position t: the shift has been made already. Without any True the loss is 0.
    """
    logp = precision.widen(logits).log_softmax(dim=-1)
    nll = -logp.gather(-1, targets[..., None]).squeeze(-1)
    if mask is None:
        return nll.mean()
    return mean_over(nll, mask)


def fused_next_token_loss(
    logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
) -> Float[Tensor, ""]:
    """`next_token_loss` with its gradient written out: autograd's begins with zeros in the shape of the logits."""
    nll = _Surprise.apply(precision.widen(logits), targets[..., None]).squeeze(-1)
    return nll.mean() if mask is None else mean_over(nll, mask)


class _Surprise(torch.autograd.Function):
    """−log p[target] of each row of logits. Its gradient is p, less 1 at the target: the expected less what came."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        logp = logits.log_softmax(dim=-1)
        ctx.save_for_backward(logp, target)
        return -logp.gather(-1, target)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_nll: Tensor) -> tuple[Tensor, None]:
        logp, target = ctx.saved_tensors
        return logp.exp().mul_(d_nll).scatter_add_(-1, target, -d_nll), None
