"""One batch of experience, used several times: the inner loop of PPO, and of A2C as its simplest case.

Schulman et al. 2017 (arXiv:1707.06347), algorithm 1 and equation 9; the details that the paper leaves out (rows
shuffled anew for each epoch, gradients clipped to a norm of 0.5, Adam with ε = 1e-5) as in Huang et al. 2022, "The 37
Implementation Details of Proximal Policy Optimization",
https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/; they whiten each minibatch, we the batch.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minqwen.align import gae, ppo
from minqwen.model import loss as averages


class Settings(NamedTuple):
    """How a batch is used. A clip of infinity is none."""

    clip: float = 0.2
    epochs: int = 4
    minibatches: int = 4
    value_weight: float = 0.5
    value_clip: float = math.inf
    entropy_weight: float = 0.0
    max_norm: float = 0.5


A2C = Settings(clip=math.inf, epochs=1, minibatches=1)


class Judged(NamedTuple):
    """What agent and critic, as they are now, say of actions that were taken."""

    logp: Float[Tensor, "B T"]
    values: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]


class Batch(NamedTuple):
    """Experience, row by row; `logp` and `values` are those of the policy that acted, and stay as they are."""

    observations: Tensor
    actions: Tensor
    logp: Float[Tensor, "B T"]
    values: Float[Tensor, "B T"]
    advantages: Float[Tensor, "B T"]
    returns: Float[Tensor, "B T"]
    mask: Bool[Tensor, "B T"]


class Losses(NamedTuple):
    """The loss to be lowered, its parts, and PPO's gauges."""

    loss: Float[Tensor, ""]
    policy: Float[Tensor, ""]
    value: Float[Tensor, ""]
    entropy: Float[Tensor, ""]
    clip_share: Float[Tensor, ""]
    kl: Float[Tensor, ""]


class Gauges(NamedTuple):
    """Means over an update; `first_log_ratio` is the largest |log ρ| before its first step, which should be 0."""

    clip_share: float
    kl: float
    entropy: float
    value_loss: float
    explained: float
    first_log_ratio: float


def losses(judged: Judged, batch: Batch, settings: Settings) -> Losses:
    """PPO's clipped loss + c_v · value loss − c_e · mean entropy."""
    policy = ppo.ppo_clip_loss(judged.logp, batch.logp, batch.advantages, batch.mask, settings.clip)
    policy = ppo.PPOLoss(*policy)  # a learner's function may give a plain tuple
    value = ppo.value_clip_loss(judged.values, batch.values, batch.returns, batch.mask, settings.value_clip)
    entropy = averages.mean_over(judged.entropy, batch.mask)
    whole = policy.loss + settings.value_weight * value - settings.entropy_weight * entropy
    return Losses(whole, policy.loss, value, entropy, policy.clip_share, policy.kl)


def update(
    agent: Callable[[Tensor, Tensor], Judged],
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    generator: torch.Generator | None = None,
) -> Gauges:
    """Whiten the advantages, then `epochs` times: shuffle the rows, and take a step for each minibatch of them."""
    batch = batch._replace(advantages=gae.whiten(batch.advantages, batch.mask))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    seen, first = [], None
    for _ in range(settings.epochs):
        for rows in torch.randperm(len(batch.mask), generator=generator).chunk(settings.minibatches):
            part = Batch(*(each[rows] for each in batch))
            judged = agent(part.observations, part.actions)
            if first is None:
                first = (judged.logp - part.logp).where(part.mask, 0.0).abs().max().item()
            found = losses(judged, part, settings)
            optimizer.zero_grad()
            found.loss.backward()
            nn.utils.clip_grad_norm_(parameters, settings.max_norm)
            optimizer.step()
            seen.append(torch.stack(found[2:]).detach())
    value, entropy, clip_share, kl = torch.stack(seen).mean(dim=0).tolist()
    explained = gae.explained_variance(batch.returns, batch.values, batch.mask)
    return Gauges(clip_share, kl, entropy, value, explained, first)


def adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
    """Adam with ε = 1e-5, all parameters in one call."""
    return torch.optim.Adam(parameters, lr=rate, eps=1e-5, fused=True)
