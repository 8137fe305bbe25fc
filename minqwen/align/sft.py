"""Supervised fine-tuning: learn to say what a good assistant said, and only that.

Qwen Technical Report (arXiv:2309.16609), section 3.1: next-token prediction with the loss masked on what system and
user say. Several conversations share a window, and none sees another.
"""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.align import chatml
from minqwen.model import loss, schedule, training
from minqwen.tokenizer import Tokenizer

Conversation = Sequence[chatml.Message]


class Windows(NamedTuple):
    """Windows of L tokens: which of them are to be learned, and which text each belongs to (padding: text 0)."""

    ids: Int[Tensor, "N L"]
    learned: Bool[Tensor, "N L"]
    documents: Int[Tensor, "N L"]

    def rows(self, which: Int[Tensor, " B"] | slice) -> "Windows":
        """Some of them."""
        return Windows(*(part[which] for part in self))

    @property
    def targets(self) -> Bool[Tensor, "N targets"]:
        """The learned tokens that something stands before; the first of a text is foretold by nothing."""
        return self.learned[:, 1:] & (self.documents[:, 1:] == self.documents[:, :-1])


def pack(
    conversations: Sequence[Conversation], tokenizer: Tokenizer, length: int, mode: str = "assistant_only"
) -> Windows:
    """The conversations in their order, each into the window that was begun last, or into a new one; none is cut."""
    encoded = [
        (chatml.encode_chat(messages, tokenizer), chatml.loss_mask(messages, tokenizer, mode))
        for messages in conversations
    ]
    return lay_out(encoded, tokenizer, length)


def lay_out(encoded: Sequence[tuple[list[int], list[bool]]], tokenizer: Tokenizer, length: int) -> Windows:
    """The same for conversations as ids, each with what of it is learned."""
    if not encoded:
        raise ValueError("there is no conversation to pack; give at least one")
    rows: list[list[tuple[int, bool, int]]] = [[]]
    for number, (ids, learned) in enumerate(encoded, start=1):
        if len(ids) > length:
            raise ValueError(
                f"conversation {number - 1} has {len(ids)} tokens, more than the window of {length}, and cut short it "
                "would teach an answer without an end; leave it out, or take a longer window"
            )
        if len(rows[-1]) + len(ids) > length:
            rows.append([])
        rows[-1] += zip(ids, learned, [number] * len(ids))
    pad = (tokenizer.control_ids[chatml.PAD], False, 0)
    columns = torch.tensor([[list(cell) for cell in row + [pad] * (length - len(row))] for row in rows])
    return Windows(columns[..., 0], columns[..., 1].bool(), columns[..., 2])


def plain(windows: Int[Tensor, "N L"]) -> Windows:
    """Windows of pre-training, every token of which is learned; mixed in, they keep what was known."""
    return Windows(windows, torch.ones_like(windows, dtype=torch.bool), torch.ones_like(windows))


def join(*parts: Windows) -> Windows:
    """The windows of all parts."""
    return Windows(*(torch.cat(columns) for columns in zip(*parts)))


def sft_loss(model: nn.Module, batch: Windows) -> Float[Tensor, ""]:
    """The mean next-token loss over the learned tokens of the whole batch; 0 if it has none."""
    logits = model(batch.ids[:, :-1], documents=batch.documents[:, :-1])
    return loss.fused_next_token_loss(logits, batch.ids[:, 1:], batch.targets)


def fine_tune(
    model: nn.Module,
    windows: Windows,
    steps: int,
    peak: float,
    warmup: int,
    *,
    batch_size: int = 8,
    parts: int = 1,
    clip: float = 1.0,
    weight_decay: float = 0.1,
    bfloat16: bool = False,
    seed: int = 0,
) -> Iterator[training.Step]:
    """Train for `steps` batches drawn with `seed`, and report each; the settings are those of pre-training.

    In `parts`, each part's loss counts by its learned tokens, so that the gradient is that of the whole batch.
    """
    optimizer = training.adamw(model, weight_decay)
    order = training.shuffled_batches(
        torch.arange(len(windows.ids))[:, None], batch_size, torch.Generator().manual_seed(seed)
    )
    for step in range(steps):
        started = time.perf_counter()
        rate = schedule.cosine_schedule(step, warmup, steps, peak)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = windows.rows(next(order)[:, 0])
        value = accumulate(model, batch, parts, bfloat16)
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        if not (value.isfinite() and norm.isfinite()):
            raise training.NotANumberError(
                f"loss {value.item()} at step {step}: go back to the model before, and lower peak={peak}"
            )
        optimizer.step()
        optimizer.zero_grad()
        speed = batch.targets.numel() / (time.perf_counter() - started)
        yield training.Step(step, value.item(), rate, norm.item(), speed)


def accumulate(model: nn.Module, batch: Windows, parts: int, bfloat16: bool = False) -> Float[Tensor, ""]:
    """Add the gradient of the batch's loss to .grad, in parts; return that loss."""
    count, total = max(int(batch.targets.sum()), 1), torch.zeros((), dtype=torch.float64)
    for rows in torch.arange(len(batch.ids)).chunk(parts):
        part = batch.rows(rows)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            value = sft_loss(model, part)
        share = value * int(part.targets.sum()) / count
        share.backward()
        total = total + share.detach()
    return total
