"""From one score an answer to a reward for each of its tokens.

Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences" (arXiv:1909.08593), section 2: the penalty on
leaving the reference is part of the reward. Qwen Technical Report (arXiv:2309.16609), section 3.2.2: a coefficient of
0.04, and rewards normalised by their running mean.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def token_rewards(
    scores: Float[Tensor, " B"], kl: Float[Tensor, "B N"], mask: Bool[Tensor, "B N"], beta: float
) -> Float[Tensor, "B N"]:
    """−β · kl at every token of the answer, and the score on top at its last one, the end token; 0 elsewhere.

    `mask` is True on the tokens of the answer, which stand together at the left.
    """
    places = torch.arange(mask.shape[-1], device=mask.device)
    last = mask.sum(dim=-1, keepdim=True) - 1
    return (-beta * kl).where(mask, 0.0) + scores[:, None].where(places == last, 0.0)


class RunningMean:
    """The mean of all scores so far, those of this batch included: a policy gains where it does better than before."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def centre(self, scores: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """scores − mean, after these were counted."""
        self.total += scores.double().sum().item()
        self.count += len(scores)
        return scores - self.total / max(self.count, 1)
