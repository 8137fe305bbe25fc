"""Reinforcement learning from human feedback: PPO on answers that a reward model scores.

Qwen Technical Report (arXiv:2309.16609), section 3.2.2; Ouyang et al. 2022 (arXiv:2203.02155), section 3.5 for the
gradient of pre-training. Four models: the policy, which writes; the reference, which it must not stray from; the
reward, which judges; the value, which foretells the judgement. An iteration has the five steps of PPO:

1. the policy answers every query twice;
2. the reward model scores each answer at its end token, and the mean of all scores so far is taken off;
3. each token costs β · (log π − log π_ref), and the score is added at the end;
4. the value model's forecasts turn this into advantages, and into returns, its own targets;
5. policy and value learn from them in minibatches, with clipped losses; then the answers are thrown away.
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.align import answers, gae, ppo, rollout, shaping, update
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rollout import Rollout, Sampling
from minqwen.align.update import Batch, Learner
from minqwen.model import Qwen, training

Score = Callable[[Int[Tensor, "B T"], Bool[Tensor, "B T"]], Float[Tensor, " B"]]


class Gauges(NamedTuple):
    """One iteration in numbers, of the policy that it began with; the losses are those of its minibatches."""

    step: int
    reward: float  # mean score of the answers, before the mean is taken off
    kl: float  # mean over answers of Σ (log π − log π_ref), in nats
    surprise: float  # mean −log π of a token that was drawn
    ended: float  # share of answers with an end
    length: float  # mean tokens of an answer
    clip_share: float
    ratio: float  # max |log ratio| in the first minibatch, before its update
    value_loss: float
    explained: float  # share of the returns' variance that the values foretold
    seconds: float


class Iteration(NamedTuple):
    """The gauges, and the answers that they are of with their scores."""

    gauges: Gauges
    rollout: Rollout
    scores: Float[Tensor, " B"]


class RunawayError(ValueError):
    """The policy strayed too far, or a number is none; it was set back to the last one whose answers were sound."""


class RLHF:
    """Trains `policy` and `value` in place, against a frozen copy of the policy as it is now.

    `score` is the reward model, better as a reader of texts (`rereading.by_text`), or any function of ids and is_token.
    Draws come from `generator`.
    """

    def __init__(
        self,
        policy: Qwen,
        value: RewardModel,
        score: Score,
        end_id: int,
        pad_id: int,
        settings: Settings | None = None,
        sampling: Sampling | None = None,
        generator: torch.Generator | None = None,
    ):
        if end_id == pad_id:
            raise ValueError(
                f"end and padding are both {end_id}, so ends would be masked away; give padding another id"
            )
        if value is score:
            raise ValueError("the value model would train the reward with itself; give value=reward.value_model()")
        self.policy, self.value, self.score = policy.eval(), value.eval(), score
        self.reference = copy.deepcopy(policy).requires_grad_(False)
        self.settings, self.sampling = settings or Settings(), sampling or Sampling()
        self.end_id, self.pad_id, self.generator = end_id, pad_id, generator
        self.mean = shaping.RunningMean()
        self._learners = _learner(policy), _learner(value)
        self._sound = _weights(policy)

    def steps(
        self,
        batches: Iterable[answers.Prompts],
        total: int,
        pretraining: Iterator[Int[Tensor, "B L"]] | None = None,
    ) -> Iterator[Iteration]:
        """`total` iterations, each on one batch of prompts and reported; stop when you like: the policy is usable."""
        if self.settings.ptx and pretraining is None:
            raise ValueError(f"ptx={self.settings.ptx} needs windows of pre-training text: give pretraining=...")
        for step, prompts in zip(range(total), batches):
            started = time.perf_counter()
            self._set_rates(step, total)
            batch, scores, gauges = self._experience(prompts)
            gauges |= self._learn(batch, pretraining, step >= self.settings.value_only)._asdict()
            gauges |= {"step": step, "seconds": time.perf_counter() - started}
            yield Iteration(Gauges(**gauges), batch.rollout, scores)

    def _set_rates(self, step: int, total: int) -> None:
        for learner, rate in zip(self._learners, (self.settings.policy_rate, self.settings.value_rate)):
            for group in learner.optimizer.param_groups:
                group["lr"] = rate * (1 - step / total)

    @torch.no_grad()
    def _experience(self, prompts: answers.Prompts) -> tuple[Batch, Tensor, dict[str, float]]:
        """Steps 1 to 4."""
        settings, sampling = self.settings, self.sampling
        rolled = rollout.roll_out(self.policy, prompts, sampling, self.end_id, self.pad_id, self.generator)
        mask = rolled.is_answer
        scores = self.score(rolled.ids, rolled.is_token).where(rolled.ended, settings.missing_end)
        logp = rollout.answer_logp(self.policy, rolled, sampling.temperature)
        kl = ppo.kl_estimate(logp, rollout.answer_logp(self.reference, rolled, sampling.temperature)).where(mask, 0.0)
        strayed = kl.sum(dim=-1).mean().item()
        self._judge(scores, strayed)
        values = rollout.answer_values(self.value.values, rolled)
        rewards = shaping.token_rewards(self.mean.centre(scores), kl, mask, settings.beta)
        advantages, returns = gae.gae(rewards, values, 1.0, settings.lam, mask)
        batch = Batch(rolled, logp, values, gae.whiten(advantages, mask), returns)
        return batch, scores, {"reward": scores.mean().item(), "kl": strayed, **_measured(batch)}

    def _judge(self, scores: Tensor, strayed: float) -> None:
        """Keep this policy as the last sound one, or go back to the one before."""
        most = self.settings.max_kl
        if scores.isfinite().all() and math.isfinite(strayed) and strayed <= most:
            self._sound = _weights(self.policy)
            return
        raise self._back(
            f"KL is {strayed:.4g} nats an answer (max_kl={most:g}), scores reach {scores.abs().max().item()}"
        )

    def _learn(self, batch: Batch, pretraining: Iterator[Tensor] | None, policy_learns: bool) -> update.Learned:
        """Step 5."""
        policy, value = self._learners
        given = batch, self.settings, self.sampling.temperature, pretraining, self.generator
        try:
            return update.learn(policy if policy_learns else None, value, *given)
        except training.NotANumberError as error:
            raise self._back(str(error)) from error

    def _back(self, reason: str) -> RunawayError:
        self.policy.load_state_dict(self._sound)
        return RunawayError(
            f"{reason}; the policy is again the last one whose answers were sound: keep it, or start anew from the "
            "reference with a larger beta or a lower policy_rate"
        )


def _measured(batch: Batch) -> dict[str, float]:
    """The gauges that only the batch is needed for."""
    rolled, mask = batch.rollout, batch.rollout.is_answer
    return {
        "surprise": -batch.logp[mask].mean().item(),
        "ended": rolled.ended.double().mean().item(),
        "length": mask.sum(dim=-1).double().mean().item(),
        "explained": gae.explained_variance(batch.returns, batch.values, mask),
    }


def _learner(model: Qwen | RewardModel) -> Learner:
    # An ε of 1e-5, as in OpenAI's code: right after the start the moments are small, and steps would be large.
    return Learner(model, torch.optim.Adam(model.parameters(), eps=1e-5, fused=True))


def _weights(model: Qwen) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
