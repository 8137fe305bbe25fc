"""The policy gradient: make likelier what went better than expected.

Williams 1992 (https://doi.org/10.1007/BF00992696), REINFORCE; with a critic and a bonus for entropy it is the actor and
critic of Mnih et al. 2016 (arXiv:1602.01783), which, all actors waiting for one another, is called A2C.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from minqwen.model import loss as averages


def policy_gradient_loss(
    logp: Float[Tensor, "B T"], advantages: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """−mean log π(a|s) · A over the actions where mask is True; its gradient is −mean A ∇log π."""
    return -averages.mean_over(logp * advantages.detach().where(mask, 0.0), mask)


def entropy(logits: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """−Σ p log p with p = softmax(logits), in nats: 0 for a certain choice, log V for an even one."""
    logp = logits.log_softmax(dim=-1)
    return -(logp.exp() * logp).sum(dim=-1)


def a2c_loss(
    logp: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    entropies: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    value_weight: float = 0.5,
    entropy_weight: float = 0.0,
) -> Float[Tensor, ""]:
    """−mean log π · A + c_v ½ mean (V − R)² − c_e mean H: actor, critic, and what keeps the actor from certainty."""
    critic = averages.mean_over((values - returns.detach()).square(), mask) / 2
    actor = policy_gradient_loss(logp, advantages, mask)
    return actor + value_weight * critic - entropy_weight * averages.mean_over(entropies, mask)
