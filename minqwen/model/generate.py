"""Writing: choose a token, append it, repeat.

Qwen Technical Report (arXiv:2309.16609), section 3.2.2, samples with top-p; what may be drawn is in `sampling`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.model import precision, sampling
from minqwen.model.cache import KVCache
from minqwen.model.qwen import Qwen
from minqwen.model.stopping import Stops


def sample_top_p(
    logits: Float[Tensor, "B V"], top_p: float, generator: torch.Generator | None = None
) -> Int[Tensor, " B"]:
    """Sample from the smallest set of likeliest tokens whose probability reaches `top_p`; 1 keeps them all."""
    return _draw(sampling.keep_top_p(logits, top_p), generator)


def sample_top_k(logits: Float[Tensor, "B V"], k: int, generator: torch.Generator | None = None) -> Int[Tensor, " B"]:
    """Sample from the k likeliest tokens."""
    return _draw(sampling.keep_top_k(logits, k), generator)


def _draw(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    probs = precision.widen(logits).softmax(dim=-1)
    return torch.multinomial(probs, 1, generator=generator).squeeze(-1)


def generate(model: Qwen, ids: Int[Tensor, "B T"], max_new_tokens: int, **options: Any) -> Int[Tensor, "B N"]:
    """The prompt and its continuation, N ≤ T + max_new_tokens. The options are those of `stream`.

    After its end a row repeats its last token; when all rows have ended, so does the function.
    """
    new = [token[:, None] for token in stream(model, ids, max_new_tokens, **options)]
    return torch.cat([ids, *new], dim=-1)


def stream(
    model: Qwen,
    ids: Int[Tensor, "B T"],
    max_new_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    stop_ids: Collection[int | Sequence[int]] = (),
    is_token: Bool[Tensor, "B T"] | None = None,
    generator: torch.Generator | None = None,
    top_k: int | None = None,
    repetition_penalty: float = 1.0,
    stop_strings: Collection[str] = (),
    decode: Callable[[list[int]], str] | None = None,
    use_cache: bool = True,
) -> Iterator[Int[Tensor, " B"]]:
    """The new tokens as they are chosen, one a row; `temperature=0` takes the likeliest.

    First comes the penalty, on prompt and continuation alike, then temperature, top-k, top-p. A row ends with one of
    `stop_ids`, tokens or sequences of tokens, or once `decode` of its new tokens holds one of `stop_strings`. Prompts
    of unequal length are padded on the left, `is_token` False there. Past the trained length goes only a model whose
    `long_context` is made for it; there the cache, which else changes no token, keeps the scale chosen for the prompt.
    """
    _check_prompt(ids, is_token, max_new_tokens, model)
    if temperature < 0:
        raise ValueError(f"temperature={temperature} is below 0; use 0 for the likeliest token, 1 for the model's own")
    stops = Stops(len(ids), stop_ids, stop_strings, decode)
    seen = None
    if repetition_penalty != 1:
        seen = sampling.seen_tokens(ids, model.config.vocab_size, is_token)

    def choose(logits: Tensor) -> Tensor:
        if seen is not None:
            logits = sampling.penalise_repetition(logits, seen, repetition_penalty)
        if temperature == 0:
            return logits.argmax(dim=-1)
        logits = logits / temperature if top_k is None else sampling.keep_top_k(logits / temperature, top_k)
        return sample_top_p(logits, top_p, generator)

    return _steps(model, ids, max_new_tokens, is_token, choose, stops, seen, use_cache)


def _steps(
    model: Qwen,
    ids: Tensor,
    max_new_tokens: int,
    is_token: Tensor | None,
    choose: Callable[[Tensor], Tensor],
    stops: Stops,
    seen: Tensor | None,
    use_cache: bool,
) -> Iterator[Tensor]:
    B, T = ids.shape
    cache = KVCache(model.config, B, T + max_new_tokens, model.lm_head.weight.dtype) if use_cache else None
    read, last = ids, ids[:, -1]
    for _ in range(max_new_tokens):
        with torch.inference_mode():
            token = choose(model(read, is_token, cache)[:, -1])
        # What inference_mode makes cannot be trained on; a copy can.
        last = torch.where(stops.stopped, last, token) if stops.any else token.clone()
        if seen is not None:
            seen.scatter_(-1, last[:, None], True)
        if stops.any:
            stops.read(last)
        yield last
        if stops.any and stops.stopped.all():
            return
        read = last[:, None] if use_cache else torch.cat([read, last[:, None]], dim=-1)
        if is_token is not None:
            is_token = torch.cat([is_token, torch.ones(B, 1, dtype=torch.bool)], dim=-1)


def _check_prompt(ids: Tensor, is_token: Tensor | None, new: int, model: Qwen) -> None:
    if ids.ndim != 2:
        raise ValueError(f"ids have shape (B, T), but these have {tuple(ids.shape)}; use ids[None] for one text")
    if ids.shape[-1] == 0:
        raise ValueError("an empty prompt gives nothing to continue; start with <|endoftext|>")
    if new < 0:
        raise ValueError(f"max_new_tokens={new} is below 0; use 0 for none")
    if is_token is not None and not is_token[:, -1].all():
        raise ValueError("padding stands at the right end, where writing goes on; pad on the left")
    prompt, context = ids.shape[-1], model.config.max_length
    if prompt + new > context and not model.long_context.reads_on:
        kept = context - new
        shorter = f"keep the last {kept} tokens of the prompt, ids[:, -{kept}:], or ask for fewer"
        raise ValueError(
            f"a prompt of {prompt} tokens and {new} new ones pass the context of {context}; "
            f"{shorter if kept > 0 else f'ask for {context - 1} at most'}, or give every layer a window: "
            f"model.long_context = LongContext(windows=({context},) * {model.config.n_layers})"
        )
