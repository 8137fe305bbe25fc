"""Rollouts: the policy answers, and what it wrote is read again in one pass.

Qwen Technical Report (arXiv:2309.16609), section 3.2.2: two answers a query, drawn with top-p 0.9. Log-probabilities
are those of the whole softmax at the temperature that was drawn with. What top-p leaves out keeps its probability in
them, so the answers come from a slightly sharper distribution than the one that is scored and trained; in exchange no
token that a later policy leaves out has probability 0, and ratios stay finite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.align import answers
from minqwen.model import Qwen, generate


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn, and how many a query."""

    answers: int = 2
    max_new_tokens: int = 32
    temperature: float = 1.0
    top_p: float = 0.9

    def __post_init__(self):
        if self.answers < 1 or self.max_new_tokens < 1:
            raise ValueError(f"{self.answers} answers of {self.max_new_tokens} tokens teach nothing; ask for 1 or more")
        if self.temperature <= 0:
            raise ValueError(
                f"temperature={self.temperature} always draws the same answer, from which nothing is learned; use 1"
            )


class Rollout(NamedTuple):
    """Prompts, padded on the left, and N tokens of answer behind each, T in all; padding follows an end."""

    ids: Int[Tensor, "B T"]
    is_token: Bool[Tensor, "B T"]
    is_answer: Bool[Tensor, "B N"]  # the last N positions: True up to the end token, which is part of the answer
    ended: Bool[Tensor, " B"]

    @property
    def written(self) -> Int[Tensor, "B N"]:
        """The tokens of the answers, and padding."""
        return self.ids[:, -self.is_answer.shape[-1] :]

    def rows(self, which: Int[Tensor, " b"]) -> "Rollout":
        """Some of them."""
        return Rollout(*(part[which] for part in self))


def until_end(written: Int[Tensor, "B N"], end_id: int) -> Bool[Tensor, "B N"]:
    """True up to the first end token of a row, that one included; everywhere in a row without one."""
    ends = written == end_id
    return ends.cumsum(dim=-1) - ends.long() == 0


def finish(ids: Int[Tensor, "B T"], prompt_is_token: Bool[Tensor, "B P"], end_id: int, pad_id: int) -> Rollout:
    """Cut every answer after its first end token: padding takes the place of whatever follows, and is no token."""
    P = prompt_is_token.shape[-1]
    is_answer = until_end(ids[:, P:], end_id)
    is_token = torch.cat([prompt_is_token, is_answer], dim=-1)
    ended = (ids[:, P:] == end_id).any(dim=-1)
    return Rollout(ids.where(is_token, pad_id), is_token, is_answer, ended)


def roll_out(
    policy: Qwen,
    prompts: answers.Prompts,
    sampling: Sampling,
    end_id: int,
    pad_id: int,
    generator: torch.Generator | None = None,
) -> Rollout:
    """The answers to each prompt, side by side: rows 0 and 1 belong to the first of them, and so on."""
    ids, is_token = (part.repeat_interleave(sampling.answers, dim=0) for part in prompts)
    ids = generate.generate(
        policy,
        ids,
        sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        stop_ids=[end_id],
        is_token=is_token,
        generator=generator,
    )
    return finish(ids, is_token, end_id, pad_id)


def answer_logp(model: Qwen, rollout: Rollout, temperature: float = 1.0) -> Float[Tensor, "B N"]:
    """log softmax(logits / temperature) of every token of the answers, read in one pass and without a cache.

    The cached steps that wrote them round otherwise, so old log-probabilities are computed here too; then the ratio to
    the policy that wrote them is 1, and not 1 up to rounding.
    """
    N = rollout.is_answer.shape[-1]
    hidden = model.hidden(rollout.ids[:, :-1], rollout.is_token[:, :-1])[:, -N:]
    logp = (model.lm_head(hidden) / temperature).log_softmax(dim=-1)
    return logp.gather(-1, rollout.written[..., None]).squeeze(-1)


def answer_values(values: Callable[[Tensor, Tensor], Float[Tensor, "B T"]], rollout: Rollout) -> Float[Tensor, "B N"]:
    """V before each token of the answers: what is expected of the text up to there, that token not yet known."""
    N = rollout.is_answer.shape[-1]
    return values(rollout.ids[:, :-1], rollout.is_token[:, :-1])[:, -N:]
