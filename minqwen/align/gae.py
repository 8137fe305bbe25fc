"""Generalised advantage estimation: how much better than expected each action was.

Schulman et al. 2015 (arXiv:1506.02438), equations 11 to 16. Whitening as in Ziegler et al. 2019,
"Fine-Tuning Language Models from Human Preferences" (arXiv:1909.08593), whose variance divides by n and not by n − 1.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Estimate(NamedTuple):
    """Advantages for the policy; returns = advantages + values, the targets of the value model."""

    advantages: Float[Tensor, "B T"]
    returns: Float[Tensor, "B T"]


def gae(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    gamma: float,
    lam: float,
    mask: Bool[Tensor, "B T"],
) -> Estimate:
    """δ[t] = r[t] + γ V[t+1] − V[t] and A[t] = δ[t] + γ λ A[t+1]; after the last action V and A are 0.

    A False position ends what stands before it, so a row may hold several episodes with one between each two. There
    rewards and values are not looked at, and both results are 0.
    Nothing here has a gradient: an advantage is a number that the policy is told.
    """
    if not (0 <= gamma <= 1 and 0 <= lam <= 1):
        raise ValueError(f"gamma={gamma} and lam={lam} must lie between 0 and 1; 1 and 0.95 are usual for language")
    rewards, values = rewards.detach().where(mask, 0.0), values.detach().where(mask, 0.0)
    advantages = torch.zeros_like(rewards)
    ahead = next_value = rewards.new_zeros(len(rewards))
    for t in reversed(range(rewards.shape[-1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        ahead = (delta + gamma * lam * ahead).where(mask[:, t], 0.0)
        next_value = values[:, t]
        advantages[:, t] = ahead
    return Estimate(advantages, advantages + values)


def whiten(x: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"], shift_mean: bool = True) -> Float[Tensor, "B T"]:
    """(x − mean) / sqrt(variance + 1e-8) over the True positions of the whole batch, 0 elsewhere.

    Advantages are whitened so. Rewards keep their mean: `shift_mean=False` adds it again.
    """
    count = mask.sum().clamp(min=1)
    kept = x.where(mask, 0.0)
    mean = kept.sum() / count
    variance = (x - mean).where(mask, 0.0).square().sum() / count
    white = (x - mean) * torch.rsqrt(variance + 1e-8) + (0.0 if shift_mean else mean)
    return white.where(mask, 0.0)


def explained_variance(returns: Float[Tensor, "B T"], values: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> float:
    """1 − var(R − V) / var(R): 1 for a critic that knows all returns, 0 for one that says the same everywhere."""
    returns, values = returns[mask], values[mask]
    return (1 - (returns - values).var() / returns.var().clamp(min=1e-8)).item()
