"""A step of supervised fine-tuning, ours and that of `transformers`' Trainer: the same windows, in the same order."""

import tempfile
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import SequentialSampler
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

import speed
from harness import TINY, Goal, Rounds, Row, Table, clock
from minqwen import assets
from minqwen.align import sft, tasks
from minqwen.model import schedule, training
from minqwen.tokenizer import Tokenizer

PEAK, WARMUP, SEED = 1e-3, 1, 0


def fine_tuning(
    shape: dict[str, Any] = TINY, batch_size: int = 8, rounds: int = 9, steps: int = 4, examples: int = 60
) -> Table:
    """Tokens a second of whole steps on conversations that share windows, and the losses of both sides."""
    models, total = speed.pair(shape), (rounds + 1) * steps
    windows = conversations(models["ours"].config.max_length, examples)
    settings = {"peak": PEAK, "warmup": WARMUP, "batch_size": batch_size, "seed": SEED}
    turns = Turns(sft.fine_tune(models["ours"], windows, total, **settings))
    trainer = theirs(models["peer"], drawn(windows, batch_size, total), batch_size, total, turns)
    wall, cpu = time.perf_counter(), time.process_time()
    trainer.train()
    cores = (time.process_time() - cpu) / (time.perf_counter() - wall)
    timed = Rounds({name: by_round(each, steps) for name, each in turns.seconds.items()}, cores)
    losses = {"ours": turns.losses, "peer": trainer.losses}
    T = windows.ids.shape[1] - 1
    rows = [
        Row("supervised fine-tuning", "tokens/s", *timed.speeds(steps * batch_size * T), Goal("ratio", "≥", 1.1)),
        Row(f"loss of step {total}", "", *([values[-1]] for values in losses.values())),
        Row(
            "largest gap between the losses of a step",
            "",
            [max(abs(o - p) for o, p in zip(*losses.values(), strict=True))],
            None,
            Goal("ours", "≤", 1e-3),
        ),
    ]
    learned = windows.targets.double().mean().item()
    told = [
        f"{speed.describe(models['ours'])}; windows of {T} tokens that several conversations share, none of which sees "
        f"another, {100 * learned:.0f} % of the tokens learned; batch {batch_size}. Tokens are all of the windows.",
        f"A round is {steps} steps of each side by turns: its batch, forward, backward, clipping, AdamW (fused on both "
        "sides), and what the loop around them does.",
        "`transformers`: `Trainer` on one processor, sdpa attention, use_cache off, conversations told apart by their "
        "positions, no log, no saving, no progress bar; our optimizer and our schedule.",
        speed.quiet(timed, rounds),
    ]
    return Table(rows, told, "transformers' Trainer")


def conversations(length: int, examples: int) -> sft.Windows:
    """The course's own tasks, as the tiny Qwen learns them."""
    made = tasks.examples("train", examples)
    return sft.pack([each.messages for each in made], Tokenizer.from_pretrained(assets.TINY_QWEN), length + 1)


def drawn(windows: sft.Windows, batch_size: int, total: int) -> list[dict[str, torch.Tensor]]:
    """The windows in the order in which our loop draws them, as `transformers` wants them."""
    numbers = torch.arange(len(windows.ids))[:, None]
    order = training.shuffled_batches(numbers, batch_size, torch.Generator().manual_seed(SEED))
    rows = windows.rows(torch.cat([next(order)[:, 0] for _ in range(total)]))
    labels = rows.ids[:, 1:].where(rows.targets, -100)
    begins = rows.documents.diff(dim=-1, prepend=rows.documents[:, :1] - 1) != 0
    at = torch.arange(rows.ids.shape[1]).expand_as(rows.ids)
    positions = at - at.where(begins, 0).cummax(dim=-1).values
    return [
        {"input_ids": ids, "position_ids": places, "labels": wanted, "shift_labels": wanted}
        for ids, places, wanted in zip(rows.ids[:, :-1], positions[:, :-1], labels)
    ]


class Turns(TrainerCallback):
    """After each step of theirs, one of ours; both timed. Theirs lasts from the end of ours to its own."""

    def __init__(self, ours: Iterator[training.Step]):
        self.ours, self.losses = ours, []
        self.seconds: dict[str, list[float]] = {"ours": [], "peer": []}

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.started = clock()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop it for them, and take our turn."""
        now = clock()
        self.seconds["peer"].append(now - self.started)
        self.losses.append(next(self.ours).loss)
        self.started = clock()
        self.seconds["ours"].append(self.started - now)


class InOrder(Trainer):
    """Takes the data as they come and keeps the loss of every step."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.losses: list[float] = []

    def _get_train_sampler(self, *args: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Theirs, its loss noted."""
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.item())
        return loss


def theirs(
    model: PreTrainedModel, data: list[dict[str, torch.Tensor]], batch_size: int, total: int, turns: Turns
) -> InOrder:
    """The Trainer with everything off that is no part of a step."""
    model.config.use_cache = False
    optimizer = training.adamw(model)  # its rate is 1e-3, the peak; the schedule gives the factor
    rates = LambdaLR(optimizer, lambda step: schedule.cosine_schedule(step, WARMUP, total, 1.0))
    arguments = TrainingArguments(
        output_dir=tempfile.gettempdir(),
        max_steps=total,
        per_device_train_batch_size=batch_size,
        max_grad_norm=1.0,
        use_cpu=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    return InOrder(model, arguments, train_dataset=data, optimizers=(optimizer, rates), callbacks=[turns])


def by_round(seconds: list[float], steps: int) -> list[float]:
    """The seconds of each round of so many steps; the first round is the warm-up."""
    return [sum(seconds[at : at + steps]) for at in range(steps, len(seconds), steps)]
