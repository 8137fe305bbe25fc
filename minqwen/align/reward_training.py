"""Training a reward model on pairs: one epoch, both answers of a pair in one batch.

Qwen Technical Report (arXiv:2309.16609), section 3.2.1: one epoch in batches of 64. A second epoch learns the pairs by
heart (Ouyang et al. 2022, arXiv:2203.02155, appendix C.2). The rate is annealed here; the report's is constant.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.align import chatml, reward
from minqwen.align.preference import Comparison
from minqwen.align.reward import RewardModel
from minqwen.model import schedule, training
from minqwen.tokenizer import Tokenizer


class Texts(NamedTuple):
    """Texts of unequal length in one batch; is_token is False on padding."""

    ids: Int[Tensor, "B T"]
    is_token: Bool[Tensor, "B T"]


class Step(NamedTuple):
    """What one step reports: the loss and the accuracy on its pairs, both before it."""

    step: int
    loss: float
    accuracy: float


def conversation(question: str, answer: str, tokenizer: Tokenizer) -> list[int]:
    """The turn as a policy would have written it: up to <|im_end|>, where the score is read."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    ids = chatml.encode_chat(messages, tokenizer)
    end = tokenizer.control_ids[chatml.END]
    return ids[: len(ids) - ids[::-1].index(end)]


def pad(rows: Sequence[Sequence[int]], tokenizer: Tokenizer) -> Texts:
    """On the right, with <|endoftext|>."""
    pad, end = tokenizer.control_ids[chatml.PAD], tokenizer.control_ids[chatml.END]
    if pad == end:
        raise ValueError(f"padding and end token are both {pad}, so no end could be told; give the tokenizer two")
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    return Texts(ids, torch.arange(longest) < torch.tensor([[len(row)] for row in rows]))


def conversations(model: RewardModel, texts: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> list[list[int]]:
    """Each (question, answer); one that is longer than anything the model has learned from is refused."""
    rows = [conversation(question, answer, tokenizer) for question, answer in texts]
    longest, context = max(map(len, rows), default=0), model.config.max_length
    if longest > context:
        raise ValueError(
            f"question and answer have {longest} tokens, more than the context of {context}, and cut short they would "
            "have no end to be scored at; leave them out, or ask for shorter answers"
        )
    return rows


@torch.no_grad()
def scores(
    model: RewardModel, texts: Sequence[tuple[str, str]], tokenizer: Tokenizer, batch_size: int = 64
) -> Float[Tensor, " N"]:
    """The score of each (question, answer)."""
    rows = conversations(model, texts, tokenizer)
    parts = [model(*pad(rows[at : at + batch_size], tokenizer)) for at in range(0, len(rows), batch_size)]
    return torch.cat(parts) if parts else torch.zeros(0)


def margins(model: RewardModel, pairs: Sequence[Comparison], tokenizer: Tokenizer) -> Float[Tensor, " N"]:
    """Score of the chosen answer less that of the rejected one: above 0 where model and label agree."""
    texts = [(p.question, p.chosen) for p in pairs] + [(p.question, p.rejected) for p in pairs]
    chosen, rejected = scores(model, texts, tokenizer).chunk(2)
    return chosen - rejected


def in_order(ahead: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """1 for a margin above 0, and a half for a pair of equal scores; the mean is the accuracy."""
    return (ahead > 0).float() + (ahead == 0).float() / 2


def accuracy(model: RewardModel, pairs: Sequence[Comparison], tokenizer: Tokenizer) -> float:
    """The share of pairs in the right order; a pair of equal scores counts half."""
    if not pairs:
        raise ValueError("there is no pair to judge; form some from scores that differ")
    return in_order(margins(model, pairs, tokenizer)).mean().item()


def train(
    model: RewardModel,
    pairs: Sequence[Comparison],
    tokenizer: Tokenizer,
    peak: float = 1e-3,
    batch_size: int = 32,
    clip: float = 1.0,
    seed: int = 0,
) -> Iterator[Step]:
    """One epoch over the pairs in an order drawn with `seed`; the rate warms up over a tenth and falls to 0."""
    if not pairs:
        raise ValueError("there is no pair to learn from; form some from scores that differ")
    chosen_rows = conversations(model, [(p.question, p.chosen) for p in pairs], tokenizer)
    rejected_rows = conversations(model, [(p.question, p.rejected) for p in pairs], tokenizer)
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).split(batch_size)
    optimizer = training.adamw(model)
    for step, places in enumerate(order):
        for group in optimizer.param_groups:
            group["lr"] = schedule.cosine_schedule(step, len(order) // 10, len(order), peak, floor_share=0.0)
        texts = pad([rows[place] for rows in (chosen_rows, rejected_rows) for place in places.tolist()], tokenizer)
        chosen, rejected = model(*texts).chunk(2)
        loss = reward.preference_loss(chosen, rejected)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip, error_if_nonfinite=True)
        optimizer.step()
        optimizer.zero_grad()
        yield Step(step, loss.item(), in_order(chosen - rejected).mean().item())
