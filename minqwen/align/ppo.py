"""Proximal policy optimisation: losses that a batch of answers may be used for more than once.

Schulman et al. 2017 (arXiv:1707.06347), equation 7; the clipped value loss and its 0.15 as in the Qwen Technical Report
(arXiv:2309.16609), section 3.2.2; estimators of the KL divergence after Schulman 2020,
http://joschu.net/blog/kl-approx.html.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from minqwen.model import loss as averages

KINDS = ("k1", "k2", "k3")


class PPOLoss(NamedTuple):
    """The loss to be lowered, and two gauges: the share of clipped tokens, and an estimate of KL(old ‖ new)."""

    loss: Float[Tensor, ""]
    clip_share: Float[Tensor, ""]
    kl: Float[Tensor, ""]


def ppo_clip_loss(
    logp: Float[Tensor, "B T"],
    logp_old: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float = 0.2,
) -> PPOLoss:
    """−mean min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) with ρ = exp(logp − logp_old), over the tokens where mask is True."""
    if clip <= 0:
        raise ValueError(f"clip={clip} leaves no room to learn; 0.2 is usual")
    log_ratio = (logp - logp_old.detach()).where(mask, 0.0)  # what stands outside the mask may be anything
    ratio, advantages = log_ratio.exp(), advantages.detach().where(mask, 0.0)
    free, clipped = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    with torch.no_grad():
        clip_share = averages.mean_over((clipped < free).to(ratio.dtype), mask)
        kl = averages.mean_over(ratio - 1 - log_ratio, mask)
    return PPOLoss(-averages.mean_over(torch.minimum(free, clipped), mask), clip_share, kl)


def value_clip_loss(
    values: Float[Tensor, "B T"],
    values_old: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    clip: float,
) -> Float[Tensor, ""]:
    """½ mean max((V − R)², (V_clip − R)²) where V_clip is V, no farther than ε from V_old."""
    if clip <= 0:
        raise ValueError(f"clip={clip} holds the values where they are; the Qwen report uses 0.15")
    returns, values_old = returns.detach(), values_old.detach()
    near = values_old + (values - values_old).clamp(-clip, clip)
    worse = torch.maximum((values - returns).square(), (near - returns).square())
    return averages.mean_over(worse, mask) / 2


def kl_estimate(
    logp: Float[Tensor, "*batch"], logp_ref: Float[Tensor, "*batch"], kind: str = "k1"
) -> Float[Tensor, "*batch"]:
    """KL(policy ‖ reference) from tokens that the policy sampled, for each token, with d = logp − logp_ref.

    k1 = d is unbiased and may be negative; k2 = d²/2 is biased; k3 = e^(−d) − 1 + d is unbiased and never negative.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is unknown; choose one of {KINDS}")
    d = logp - logp_ref
    return {"k1": d, "k2": d.square() / 2, "k3": torch.expm1(-d) + d}[kind]
