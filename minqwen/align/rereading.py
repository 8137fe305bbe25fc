"""The judge reads what people would: an answer is decoded and encoded again before it is scored.

A policy may write the bytes of a character as tokens that no encoder would choose, or half a character. A reward model
learned from encoded texts and has never seen such rows, so on them its score means nothing, and often it is too high.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.align import chatml, reward_training
from minqwen.align.reward import RewardModel
from minqwen.tokenizer import Tokenizer


def by_text(
    judge: RewardModel, tokenizer: Tokenizer
) -> Callable[[Int[Tensor, "B T"], Bool[Tensor, "B T"]], Float[Tensor, " B"]]:
    """The judge's score of each row's text, as RLHF asks for it; prompts have one turn, as `answers.prompts` makes."""

    @torch.no_grad()
    def score(ids: Int[Tensor, "B T"], is_token: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
        rows = [reread(row[real].tolist(), tokenizer) for row, real in zip(ids, is_token)]
        return judge(*reward_training.pad(rows, tokenizer))

    return score


def reread(ids: list[int], tokenizer: Tokenizer) -> list[int]:
    """The prompt as it is, the answer as its text is encoded, and its end token, if it has one."""
    end = tokenizer.control_ids[chatml.END]
    at = answer_start(ids, tokenizer)
    prompt, answer = ids[:at], ids[at:]
    ended = answer[-1:] == [end]
    text = tokenizer.decode(answer[: len(answer) - ended])
    return [*prompt, *tokenizer.encode(text.lstrip("\n").rstrip()), *[end] * ended]


def answer_start(ids: list[int], tokenizer: Tokenizer) -> int:
    """Behind START assistant newline, where it stands first."""
    head = [tokenizer.control_ids[chatml.START], *tokenizer.encode("assistant"), *tokenizer.encode("\n")]
    for at in range(len(ids) - len(head) + 1):
        if ids[at : at + len(head)] == head:
            return at + len(head)
    raise ValueError("no turn of the assistant begins in these tokens; make the prompt with answers.prompts")
