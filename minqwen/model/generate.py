"""Writing: sample a token, append it, repeat.

Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (arXiv:1904.09751), section 3.1 for top-p;
Fan et al. 2018 (arXiv:1805.04833), section 5.4 for top-k.
"""

from collections.abc import Collection

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.model import precision
from minqwen.model.cache import KVCache
from minqwen.model.qwen import Qwen


def sample_top_p(
    logits: Float[Tensor, "B V"], top_p: float, generator: torch.Generator | None = None
) -> Int[Tensor, " B"]:
    """Sample from the smallest set of likeliest tokens whose probability reaches `top_p`; 1 keeps them all."""
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must lie above 0 and not above 1; use 1 to keep every token")
    probs, order = precision.widen(logits).softmax(dim=-1).sort(dim=-1, descending=True)
    before = probs.cumsum(dim=-1) - probs  # mass of the tokens that come first
    # Rounding lets the sum reach 1 early in a large vocabulary, and 1 is to keep every token.
    kept = probs.masked_fill(before >= top_p, 0.0) if top_p < 1 else probs
    return order.gather(-1, torch.multinomial(kept, 1, generator=generator)).squeeze(-1)


def sample_top_k(logits: Float[Tensor, "B V"], k: int, generator: torch.Generator | None = None) -> Int[Tensor, " B"]:
    """Sample from the k likeliest tokens."""
    if k < 1:
        raise ValueError(f"k={k} keeps no token; use k=1 for the likeliest or k={logits.shape[-1]} for all")
    kept, order = logits.topk(min(k, logits.shape[-1]), dim=-1)
    return order.gather(-1, torch.multinomial(kept.softmax(dim=-1), 1, generator=generator)).squeeze(-1)


def generate(
    model: Qwen,
    ids: Int[Tensor, "B T"],
    max_new_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    stop_ids: Collection[int] = (),
    is_token: Bool[Tensor, "B T"] | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "B N"]:
    """The prompt and its continuation, N ≤ T + max_new_tokens; `temperature=0` takes the likeliest token.

    Prompts of unequal length are padded on the left, with `is_token` False there. After one of its `stop_ids` a row
    repeats that token; when all rows have stopped, so does the function.
    """
    _check_prompt(ids, is_token, max_new_tokens, model.config.max_length)
    if temperature < 0:
        raise ValueError(f"temperature={temperature} is below 0; use 0 for the likeliest token, 1 for the model's own")
    B, T = ids.shape
    cache = KVCache(model.config, B, T + max_new_tokens, dtype=model.lm_head.weight.dtype)
    stop = torch.tensor(list(stop_ids), dtype=ids.dtype)
    stopped, new = torch.zeros(B, 1, dtype=torch.bool), ids
    with torch.inference_mode():
        for _ in range(max_new_tokens):
            logits = model(new, is_token, cache)[:, -1]
            if temperature == 0:
                new = logits.argmax(dim=-1, keepdim=True)
            else:
                new = sample_top_p(logits / temperature, top_p, generator)[:, None]
            if len(stop):
                new = torch.where(stopped, ids[:, -1:], new)
                stopped = stopped | torch.isin(new, stop)
            ids = torch.cat([ids, new], dim=-1)
            if is_token is not None:
                is_token = torch.cat([is_token, torch.ones(B, 1, dtype=torch.bool)], dim=-1)
            if len(stop) and stopped.all():
                break
    return ids.clone()  # what inference_mode makes cannot be trained on; a copy can


def _check_prompt(ids: Tensor, is_token: Tensor | None, new: int, context: int) -> None:
    if ids.ndim != 2:
        raise ValueError(f"ids have shape (B, T), but these have {tuple(ids.shape)}; use ids[None] for one text")
    prompt = ids.shape[-1]
    if prompt == 0:
        raise ValueError("an empty prompt gives nothing to continue; start with <|endoftext|>")
    if is_token is not None and not is_token[:, -1].all():
        raise ValueError("padding stands at the right end, where writing goes on; pad on the left")
    if prompt + new > context:
        raise ValueError(
            f"a prompt of {prompt} tokens and {new} new ones pass the context of {context}; keep the last "
            f"{max(context - new, 1)} tokens of the prompt, ids[:, -{max(context - new, 1)}:], or ask for fewer"
        )
