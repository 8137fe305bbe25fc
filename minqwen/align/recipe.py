"""The settings of RLHF.

Qwen Technical Report (arXiv:2309.16609), section 3.2.2, gives beta, the value clip and the value-only start (50 steps);
what it does not give follows Schulman et al. 2017 (arXiv:1707.06347) and Ouyang et al. 2022 (arXiv:2203.02155).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The report gives β, the value clip and the value-only start; the rest is ours. Rates fall to 0 in a line."""

    beta: float = 0.04
    missing_end: float = -2.0  # the score of an answer that does not end, in place of the reward model's
    lam: float = 0.95
    clip: float = 0.2
    value_clip: float = 0.15
    value_only: int = 2  # iterations in which the policy waits for the value model
    minibatches: int = 4
    epochs: int = 1
    policy_rate: float = 8e-4
    value_rate: float = 1e-3
    ptx: float = 0.0  # weight of the loss on pre-training text
    max_kl: float = 100.0  # nats an answer, beyond which the run ends

    def __post_init__(self):
        if not self.beta >= 0:
            raise ValueError(f"beta={self.beta} would pay for leaving the reference; use 0 for no penalty, or 0.04")
        if min(self.policy_rate, self.value_rate, self.ptx) < 0:
            raise ValueError(
                f"policy_rate={self.policy_rate}, value_rate={self.value_rate}, ptx={self.ptx}: below 0 a loss would "
                "be climbed; use 0 or more"
            )
        if min(self.minibatches, self.epochs) < 1:
            raise ValueError("without an epoch or a minibatch nothing is learned; use 1 or more of each")
