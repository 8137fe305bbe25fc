"""The update of RLHF: policy and value learn from answers of the policy as it was, minibatch by minibatch.

Schulman et al. 2017 (arXiv:1707.06347), equation 7, for both losses; Ouyang et al. 2022 (arXiv:2203.02155), section
3.5, for the gradient of pre-training, which the Qwen report (arXiv:2309.16609), section 3.2.2, uses against the
alignment tax.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minqwen.align import ppo, rollout
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rollout import Rollout
from minqwen.model import Qwen, training

MAX_NORM = 1.0  # of a gradient


class Batch(NamedTuple):
    """What the update learns from; rows in any order."""

    rollout: Rollout
    logp: Float[Tensor, "B N"]
    values: Float[Tensor, "B N"]
    advantages: Float[Tensor, "B N"]
    returns: Float[Tensor, "B N"]

    def rows(self, which: Int[Tensor, " b"]) -> "Batch":
        """Some of them."""
        return Batch(self.rollout.rows(which), *(part[which] for part in self[1:]))


class Learned(NamedTuple):
    """Means over the minibatches, and the max |log ratio| of the first one before its step; 0 where nothing learned."""

    clip_share: float = 0.0
    ratio: float = 0.0
    value_loss: float = 0.0


class Learner(NamedTuple):
    """A model and its optimizer."""

    model: Qwen | RewardModel
    optimizer: torch.optim.Optimizer

    def step(self, value: Float[Tensor, ""]) -> None:
        """Down the gradient of this loss, once."""
        value.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
        if not (value.isfinite() and norm.isfinite()):
            self.optimizer.zero_grad()
            raise training.NotANumberError(f"loss {value.item()} and gradient {norm.item()} are no numbers")
        self.optimizer.step()
        self.optimizer.zero_grad()


def learn(
    policy: Learner | None,
    value: Learner,
    batch: Batch,
    settings: Settings,
    temperature: float,
    pretraining: Iterator[Int[Tensor, "b L"]] | None = None,
    generator: torch.Generator | None = None,
) -> Learned:
    """Every row in one minibatch of each epoch; without a policy the value model learns alone."""
    shares, ratios, losses = [], [], []
    for _ in range(settings.epochs):
        for rows in torch.randperm(len(batch.logp), generator=generator).chunk(settings.minibatches):
            part = batch.rows(rows)
            if policy is not None:
                surrogate, ratio = policy_loss(policy.model, part, settings.clip, temperature)
                shares.append(surrogate.clip_share.item())
                ratios.append(ratio)
                policy.step(surrogate.loss + _pretraining_loss(policy.model, pretraining, settings.ptx))
            values = rollout.answer_values(value.model.values, part.rollout)
            mask = part.rollout.is_answer
            loss = ppo.value_clip_loss(values, part.values, part.returns, mask, settings.value_clip)
            losses.append(loss.item())
            value.step(loss)
    if policy is None:
        return Learned(value_loss=sum(losses) / len(losses))
    return Learned(sum(shares) / len(shares), ratios[0], sum(losses) / len(losses))


def policy_loss(model: Qwen, batch: Batch, clip: float, temperature: float) -> tuple[ppo.PPOLoss, float]:
    """The clipped loss, and max |log π − log π_old|; the temperature is that of the old log-probabilities."""
    mask = batch.rollout.is_answer
    logp = rollout.answer_logp(model, batch.rollout, temperature)
    ratio = (logp.detach() - batch.logp).where(mask, 0.0).abs().max().item()
    found = ppo.ppo_clip_loss(logp, batch.logp, batch.advantages, mask, clip)
    return ppo.PPOLoss(*found), ratio  # a learner's function may give a plain tuple


def _pretraining_loss(model: Qwen, windows: Iterator[Tensor] | None, weight: float) -> Float[Tensor, ""]:
    if not weight:
        return torch.zeros(())
    text = next(windows, None)
    if text is None:
        raise ValueError("the windows of pre-training text are used up; give pretraining=... without an end")
    return weight * training.batch_loss(model, text)
