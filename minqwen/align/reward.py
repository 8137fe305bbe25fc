"""The objective of a reward model: of two answers, the better one shall score higher.

Bradley & Terry 1952; Ouyang et al. 2022, "Training language models to follow instructions with human feedback"
(arXiv:2203.02155), equation 1. The Qwen report (arXiv:2309.16609), section 3.2.1, does not write its loss down.
"""

from jaxtyping import Float
from torch import Tensor, nn


def preference_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"], margin: float = 0.0
) -> Float[Tensor, ""]:
    """−mean log σ(chosen − rejected − margin), in nats a pair; log 2 where both score alike and margin is 0."""
    if margin < 0:
        raise ValueError(f"margin={margin} would reward the worse answer; use 0, or how much better it is to be")
    if not (chosen.isfinite().all() and rejected.isfinite().all()):
        raise ValueError("scores are infinite or no numbers; go back to the last checkpoint and lower the rate")
    return nn.functional.softplus(rejected - chosen + margin).mean()
