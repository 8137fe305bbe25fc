"""The loop of pre-training: AdamW, a cosine schedule, clipped gradients, and large batches in parts.

Qwen Technical Report (arXiv:2309.16609), section 2.4: AdamW (Loshchilov and Hutter 2017, arXiv:1711.05101) with
β = (0.9, 0.95) and ε = 1e-8; a cosine to a tenth of the peak. Decay 0.1 and clipping at 1 are from the Qwen-7B memo of
August 2023.
"""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minqwen.model import loss, schedule
from minqwen.model.training import parallel


class Step(NamedTuple):
    """What one optimizer step reports: the loss before it in nats a token, and its speed."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float


class NotANumberError(ValueError):
    """A loss or a gradient is NaN or infinite; the weights are still those before the step."""


def adamw(model: nn.Module, weight_decay: float = 0.1) -> torch.optim.AdamW:
    """AdamW that decays matrices only: norms and biases have no reason to be small."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)


def batch_loss(model: nn.Module, batch: Int[Tensor, "B L"], bfloat16: bool = False) -> Float[Tensor, ""]:
    """The next-token loss of whole windows: position t predicts t + 1; `bfloat16` is for the matrix products alone."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = model(batch[:, :-1])
    return loss.fused_next_token_loss(logits, batch[:, 1:])


def multiplies_bfloat16() -> bool:
    """Whether this processor has matrix instructions for bfloat16 (AMX); without them float32 is far faster."""
    return torch.cpu._is_amx_tile_supported()  # torch is pinned, and has no public name for it


def accumulate(model: nn.Module, batch: Int[Tensor, "B L"], parts: int, bfloat16: bool) -> Float[Tensor, ""]:
    """Add the gradient of the batch's mean loss to .grad, in parts that need less memory; return that loss.

    Σ over parts of (their share of the batch) · (their mean loss) is the mean loss of the whole.
    """
    mine = parallel.own_rows(batch)
    chunks = mine.chunk(parts)
    total = torch.zeros(())
    for i, chunk in enumerate(chunks):
        parallel.synchronise(model, last := i == len(chunks) - 1)
        with parallel.local_gradients(model, not last):
            share = batch_loss(model, chunk, bfloat16) * (len(chunk) / len(mine))
            share.backward()
        total = total + share.detach()
    return parallel.mean(total)


def train(
    model: nn.Module,
    batches: Iterable[Int[Tensor, "B L"]],
    steps: int,
    peak: float,
    warmup: int,
    clip: float = 1.0,
    *,
    parts: int = 1,
    bfloat16: bool = False,
    floor_share: float = 0.1,
    optimizer: torch.optim.Optimizer | None = None,
    start: int = 0,
) -> Iterator[Step]:
    """Train for `steps` batches and report each step; the caller logs, plots, evaluates and saves.

    `floor_share` is what the cosine leaves of the peak; 1 keeps the rate constant. The schedule knows the step only, so
    with the model, the optimizer and the batches of step `start` it goes on as if it had never stopped. In the
    processes of `torchrun` each takes its share of every batch.
    """
    optimizer = optimizer or adamw(model)
    for step, batch in zip(range(start, steps), batches):
        started = time.perf_counter()
        rate = schedule.cosine_schedule(step, warmup, steps, peak, floor_share)
        for group in optimizer.param_groups:
            group["lr"] = rate
        value = accumulate(model, batch, parts, bfloat16)
        norm = parallel.whole(nn.utils.clip_grad_norm_(model.parameters(), clip))
        if not (value.isfinite() and norm.isfinite()):
            raise NotANumberError(
                f"loss {value.item()} and gradient {norm.item()} at step {step} are no numbers; "
                f"go back to the last checkpoint and lower peak={peak}"
            )
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.perf_counter() - started
        yield Step(step, value.item(), rate, norm.item(), batch[:, 1:].numel() / seconds)


@torch.no_grad()
def nats(model: nn.Module, windows: Int[Tensor, "N L"], batch_size: int = 16) -> float:
    """The sum of −log p over every predicted token of the windows; divide by bytes · ln 2 for bits per byte."""
    return sum(batch_loss(model, rows).item() * rows[:, 1:].numel() for rows in windows.split(batch_size))
