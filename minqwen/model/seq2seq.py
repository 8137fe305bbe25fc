"""Pairs in, pairs out: padding, the loss of a target, training, and greedy decoding for an encoder-decoder.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), sections 3.1 and 5.1; teacher forcing after
Williams and Zipser 1989.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.model import loss, schedule, training
from minqwen.model.transformer import Transformer

Pair = tuple[Sequence[int], Sequence[int]]  # what is read, and what is to be written, from start to stop


class Padded(NamedTuple):
    """Rows of ids, padded on the right, and where they hold a token."""

    ids: Int[Tensor, "B T"]
    is_token: Bool[Tensor, "B T"]


def pad(rows: Sequence[Sequence[int]], padding: int = 0) -> Padded:
    """The rows, all as long as the longest."""
    lengths = torch.tensor([len(row) for row in rows])
    T = int(lengths.max())
    ids = torch.tensor([[*row, *[padding] * (T - len(row))] for row in rows])
    return Padded(ids, torch.arange(T) < lengths[:, None])


def pair_loss(model: Transformer, source: Padded, target: Padded) -> Float[Tensor, ""]:
    """The mean loss of a target's tokens: at each, the model is shown the right ones before it (teacher forcing)."""
    shown, said = target.ids[:, :-1], target.ids[:, 1:]
    logits = model(source.ids, shown, source.is_token, target.is_token[:, :-1])
    return loss.next_token_loss(logits, said, target.is_token[:, 1:])


def batches_by_length(pairs: Sequence[Pair], batch_size: int, generator: torch.Generator) -> Iterator[list[Pair]]:
    """Batches without end, every pair once an epoch; pairs of about one length stay together, so padding is short."""
    while True:
        order = torch.randperm(len(pairs), generator=generator).tolist()
        order.sort(key=lambda i: (len(pairs[i][1]), len(pairs[i][0])))  # stable: equal lengths stay shuffled
        groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        for group in torch.randperm(len(groups), generator=generator).tolist():
            yield [pairs[i] for i in groups[group]]


def train(
    model: Transformer,
    pairs: Sequence[Pair],
    steps: int,
    batch_size: int,
    peak: float,
    generator: torch.Generator,
) -> Iterator[float]:
    """The loss of each step: AdamW, a warm-up of a tenth, then half a cosine down to nothing."""
    optimizer = training.adamw(model, weight_decay=0.01)
    for step, batch in zip(range(steps), batches_by_length(pairs, batch_size, generator)):
        for group in optimizer.param_groups:
            group["lr"] = schedule.cosine_schedule(step, steps // 10, steps, peak, floor_share=0.0)
        value = pair_loss(model, *(pad(rows) for rows in zip(*batch)))
        if not value.isfinite():
            raise ValueError(f"the loss is {value.item()} at step {step} of {steps}; begin again and lower peak={peak}")
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield value.item()


@torch.no_grad()
def greedy(model: Transformer, source: Padded, start: int, stop: int, max_new_tokens: int) -> Int[Tensor, "B N"]:
    """Write the likeliest token, append it, repeat; after `stop` a row repeats it. The memory is computed once."""
    memory = model.encode(source.ids, source.is_token)
    ids = torch.full((len(memory), 1), start)
    stopped = torch.zeros(len(memory), 1, dtype=torch.bool)
    for _ in range(max_new_tokens):
        logits = model.decode(ids, memory, torch.ones_like(ids, dtype=torch.bool), source.is_token)[:, -1:]
        new = logits.argmax(dim=-1).masked_fill(stopped, stop)
        ids, stopped = torch.cat([ids, new], dim=-1), stopped | (new == stop)
        if stopped.all():
            break
    return ids[:, 1:]
