"""Asking a fine-tuned model: questions in ChatML, answers up to the end of the turn.

They end as in the reference code (https://github.com/QwenLM/Qwen): at <|im_end|>, or <|im_start|> where it is left out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from minqwen.align import chatml
from minqwen.model import Qwen, generate
from minqwen.tokenizer import Tokenizer


class Prompts(NamedTuple):
    """Prompts of unequal length, padded on the left, where is_token is False."""

    ids: Int[Tensor, "B T"]
    is_token: Bool[Tensor, "B T"]


def prompts(questions: Sequence[str], tokenizer: Tokenizer) -> Prompts:
    """Each question as a conversation of one turn, up to where the answer begins."""
    rows = [chatml.encode_chat([{"role": "user", "content": question}], tokenizer) for question in questions]
    if not rows:
        raise ValueError("there is no question; give at least one")
    longest, pad = max(map(len, rows)), tokenizer.control_ids[chatml.PAD]
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    return Prompts(ids, torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows]))


def answer(
    model: Qwen,
    tokenizer: Tokenizer,
    questions: Sequence[str],
    max_new_tokens: int = 64,
    temperature: float = 0.0,
    **options: Any,
) -> list[str]:
    """What the model answers, without the end token; options as in `model.generate`. At 0 it takes the likeliest."""
    asked = prompts(questions, tokenizer)
    ends = [tokenizer.control_ids[end] for end in (chatml.END, chatml.START)]
    ids = generate.generate(
        model,
        asked.ids,
        max_new_tokens,
        is_token=asked.is_token,
        stop_ids=ends,
        temperature=temperature,
        **options,
    )
    return [until(row, ends, tokenizer) for row in ids[:, asked.ids.shape[-1] :].tolist()]


def until(ids: Sequence[int], ends: Sequence[int], tokenizer: Tokenizer) -> str:
    """The text before the first of `ends`."""
    stop = next((at for at, token in enumerate(ids) if token in ends), len(ids))
    return tokenizer.decode(ids[:stop])
