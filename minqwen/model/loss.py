"""The objective of pre-training: say the next token; and the mean that it takes over the tokens that count.

Qwen Technical Report (arXiv:2309.16609), section 2.4, after Radford et al. 2018.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

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
