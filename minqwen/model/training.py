"""A plain pre-training loop: packed batches, AdamW, cosine schedule, clipped gradients.

Qwen Technical Report (arXiv:2309.16609), section 2.4: documents are shuffled, joined and cut to the context; AdamW
with β = (0.9, 0.95), ε = 1e-8. Weight decay 0.1 and clipping at 1 are from the Qwen-7B memo of August 2023.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minqwen.model import loss, schedule
from minqwen.model.qwen import Qwen


class Step(NamedTuple):
    """What one optimizer step reports: the loss before it in nats a token, and its speed."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float


def pack(documents: Sequence[Sequence[int]], separator: int, length: int) -> Int[Tensor, "N L"]:
    """All documents in one row, `separator` before each, cut into windows of `length`; the ragged end is dropped."""
    row = [token for document in documents for token in (separator, *document)]
    windows = len(row) // length
    if windows == 0:
        raise ValueError(
            f"{len(row)} tokens do not fill one window of {length}; use length={max(len(row), 1)} or more text"
        )
    return torch.tensor(row[: windows * length]).view(windows, length)


def shuffled_batches(
    windows: Int[Tensor, "N L"], batch_size: int, generator: torch.Generator
) -> Iterator[Int[Tensor, "B L"]]:
    """Batches without end; every window once an epoch, in a new order each."""
    while True:
        order = torch.randperm(len(windows), generator=generator)
        for rows in order.split(batch_size):
            if len(rows) == batch_size or len(windows) < batch_size:
                yield windows[rows]


def adamw(model: nn.Module, weight_decay: float = 0.1) -> torch.optim.AdamW:
    """AdamW that decays matrices only: norms and biases have no reason to be small."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)


def batch_loss(model: Qwen, batch: Int[Tensor, "B L"]) -> Float[Tensor, ""]:
    """The next-token loss of whole windows: position t predicts t + 1."""
    return loss.next_token_loss(model(batch[:, :-1]), batch[:, 1:])


def train(
    model: Qwen,
    batches: Iterable[Int[Tensor, "B L"]],
    steps: int,
    peak: float,
    warmup: int,
    clip: float = 1.0,
) -> Iterator[Step]:
    """Train for `steps` batches and report each step; the caller logs, plots, evaluates and saves."""
    optimizer = adamw(model)
    for step, batch in zip(range(steps), batches):
        started = time.perf_counter()
        rate = schedule.cosine_schedule(step, warmup, steps, peak)
        for group in optimizer.param_groups:
            group["lr"] = rate
        value = batch_loss(model, batch)
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        if not norm.isfinite():
            raise ValueError(
                f"loss {value.item()} and gradient {norm.item()} at step {step} are no numbers; "
                f"go back to the last checkpoint and lower peak={peak}"
            )
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.perf_counter() - started
        yield Step(step, value.item(), rate, norm.item(), batch[:, 1:].numel() / seconds)


@torch.no_grad()
def nats(model: Qwen, windows: Int[Tensor, "N L"], batch_size: int = 16) -> float:
    """The sum of −log p over every predicted token of the windows; divide by bytes · ln 2 for bits per byte."""
    return sum(batch_loss(model, rows).item() * rows[:, 1:].numel() for rows in windows.split(batch_size))
