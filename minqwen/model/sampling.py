"""Which tokens may be drawn: temperature, top-k, top-p, and the penalty on what was already said.

Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (arXiv:1904.09751), section 3.1 for top-p;
Fan et al. 2018 (arXiv:1805.04833), section 5.4 for top-k; Keskar et al. 2019, "CTRL" (arXiv:1909.05858), section 4.1.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.model import precision


def keep_top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """The k largest logits of each row; −∞ for the others."""
    if k < 1:
        raise ValueError(f"k={k} keeps no token; use k=1 for the likeliest or k={logits.shape[-1]} for all")
    kept, order = logits.topk(min(k, logits.shape[-1]), dim=-1)
    return torch.full_like(logits, float("-inf")).scatter(-1, order, kept)


def keep_top_p(logits: Float[Tensor, "B V"], top_p: float) -> Float[Tensor, "B V"]:
    """The smallest set of likeliest tokens whose probability reaches `top_p`; −∞ for the others. 1 keeps them all."""
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must lie above 0 and not above 1; use 1 to keep every token")
    if top_p == 1:  # rounding would let the sum reach 1 early in a large vocabulary
        return logits
    probs, order = precision.widen(logits).softmax(dim=-1).sort(dim=-1, descending=True)
    before = probs.cumsum(dim=-1) - probs  # mass of the tokens that come first
    hidden = torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, order, before >= top_p)
    return logits.masked_fill(hidden, float("-inf"))


def penalise_repetition(
    logits: Float[Tensor, "B V"], seen: Bool[Tensor, "B V"], penalty: float
) -> Float[Tensor, "B V"]:
    """logits / penalty for the tokens that were seen, where they are above 0; logits · penalty where below.

    The paper divides all of them, which would make a token with a logit below 0 likelier than before.
    """
    if penalty <= 0:
        raise ValueError(f"repetition_penalty={penalty} must lie above 0; use 1 for none, 1.2 for the paper's")
    penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
    return logits.where(~seen, penalised)


def seen_tokens(
    ids: Int[Tensor, "B T"], vocab_size: int, is_token: Bool[Tensor, "B T"] | None = None
) -> Bool[Tensor, "B V"]:
    """seen[b, v]: whether token v stands in row b, padding left out. The last position is never padding."""
    ids = ids if is_token is None else ids.where(is_token, ids[:, -1:])
    return torch.zeros(len(ids), vocab_size, dtype=torch.bool).scatter_(-1, ids, True)
