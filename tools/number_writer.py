"""Trains the number writer of lesson 03: a Transformer of 2017 that rewrites 12 as twelve and as 十二.

Vaswani et al. 2017 (arXiv:1706.03762). The log is one JSON object a line: the recipe, the loss every 100 steps, and the
share of held-out numbers that the saved weights write exactly, in each direction.
"""

import time
from pathlib import Path

import torch

from minqwen.data import numbers
from minqwen.model import seq2seq, training
from minqwen.model.transformer import Transformer, TransformerConfig

RECIPE = {"seed": 0, "held_out": 200, "batch_size": 64, "steps": 3000, "peak": 2e-3}
LOG_EVERY = 100
LONGEST = 32  # more characters than any number has


def exact(model: Transformer, of: list[int]) -> dict[str, float]:
    """The share of these numbers that the model writes without a mistake, in each direction."""
    pairs = numbers.pairs(of)
    written = seq2seq.greedy(
        model, seq2seq.pad([pair.source for pair in pairs]), numbers.START, numbers.STOP, LONGEST
    ).tolist()
    right = [numbers.decode(ids) == numbers.decode(pair.target) for ids, pair in zip(written, pairs)]
    names = [f"{a} to {b}" for a in numbers.WRITINGS for b in numbers.WRITINGS if a != b]
    return {name: sum(right[i :: len(names)]) / len(of) for i, name in enumerate(names)}


def train(folder: Path, log: Path, recipe: dict = RECIPE) -> None:
    """Train by the recipe, write the checkpoint and the log."""
    generator = torch.Generator().manual_seed(recipe["seed"])
    known, held_out = numbers.split(recipe["held_out"])
    model = Transformer(TransformerConfig(numbers.VOCAB_SIZE), generator)
    losses = seq2seq.train(
        model, numbers.pairs(known), recipe["steps"], recipe["batch_size"], recipe["peak"], generator
    )
    started = time.process_time()
    with log.open("w", encoding="utf-8") as lines:
        about = {"recipe": recipe, "parameters": sum(p.numel() for p in model.parameters())}
        lines.write(training.as_line({**about, "torch": torch.__version__}))
        for step, loss in enumerate(losses):
            if step % LOG_EVERY == 0 or step == recipe["steps"] - 1:
                lines.write(training.as_line({"step": step, "loss": loss}))
        model.save_pretrained(folder)
        shares = exact(Transformer.from_pretrained(folder), held_out)
        end = {"exact": shares, "mean": sum(shares.values()) / len(shares), "seconds": time.process_time() - started}
        lines.write(training.as_line(end))
    print(f"{end['mean']:.1%} of {len(held_out)} held-out numbers, {end['seconds']:.0f} s of one core")
