"""Pre-trains the tiny Qwen on the shipped corpus: recipe, log, and the best checkpoint by held-out bits per byte.

The log is one JSON object a line: first the recipe, then the training loss every 50 steps and the held-out bits per
byte of both languages every 500. Both languages are shuffled together, whole documents joined and cut to the context.
Matrices are multiplied in bfloat16 and everything else is float32, as in the report (section 2.4), where the processor
has instructions for that: without them bfloat16 is far slower than float32, and float32 is used throughout.
"""

import json
import math
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from tqdm import tqdm

from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, loss, training
from minqwen.tokenizer import Tokenizer

RECIPE = {"seed": 0, "batch_size": 8, "steps": 14000, "peak": 2.5e-3, "warmup": 100}
LOG_EVERY, EVALUATE_EVERY = 50, 500
HELD_OUT_WINDOWS = 48  # of each language while training; all of them at the end


class HeldOut:
    """Bits per byte on held-out windows of one language: −log₂ p of the text, over its bytes in UTF-8."""

    def __init__(self, tokenizer: Tokenizer, language: str, length: int):
        documents = [tokenizer.encode(document.text) for document in corpus.load("held_out", language)]
        self.windows = training.pack(documents, separator(tokenizer), length + 1)
        self.bytes = [sum(token_size(tokenizer, i) for i in window[1:]) for window in self.windows.tolist()]

    def bits_per_byte(self, model: Qwen, n_windows: int) -> float:
        """Over n windows spread evenly, so that long works do not crowd out the others."""
        chosen = range(0, len(self.windows), max(1, len(self.windows) // n_windows))
        nats = training.nats(model, self.windows[list(chosen)])
        return nats / (math.log(2) * sum(self.bytes[i] for i in chosen))


def separator(tokenizer: Tokenizer) -> int:
    """The id that stands before every document."""
    return tokenizer.encode("<|endoftext|>", allow_control=True)[0]


def token_size(tokenizer: Tokenizer, token_id: int) -> int:
    """The bytes that a token adds to the text: control tokens add none."""
    return len(tokenizer.token_bytes(token_id)) if token_id < separator(tokenizer) else 0


def training_documents(tokenizer: Tokenizer) -> list[list[int]]:
    """The ids of every training document of both languages."""
    return [tokenizer.encode(document.text) for document in corpus.load("train")]


def shuffled_windows(
    documents: Sequence[Sequence[int]], tokenizer: Tokenizer, length: int, generator: torch.Generator
) -> torch.Tensor:
    """The documents in a new order, joined and cut to the context plus the token to predict."""
    order = torch.randperm(len(documents), generator=generator).tolist()
    return training.pack([documents[i] for i in order], separator(tokenizer), length + 1)


def multiplies_bfloat16() -> bool:
    """Whether this processor has matrix instructions for bfloat16 (AMX)."""
    return torch.cpu._is_amx_tile_supported()  # torch is pinned, and has no public name for it


def mixed_precision_loss(model: Qwen, batch: torch.Tensor) -> torch.Tensor:
    """`training.batch_loss` with matrix products in bfloat16 where that is fast."""
    with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16() and torch.is_grad_enabled()):
        logits = model(batch[:, :-1])
    return loss.next_token_loss(logits, batch[:, 1:])


@mock.patch.object(training, "batch_loss", mixed_precision_loss)
def pretrain(folder: Path, log: Path) -> None:
    """Train by the recipe; `folder` gets the best model in bfloat16, `log` a line for everything measured."""
    tokenizer, config = Tokenizer.from_pretrained(folder), QwenConfig()
    generator = torch.Generator().manual_seed(RECIPE["seed"])
    model = Qwen(config, generator)
    windows = shuffled_windows(training_documents(tokenizer), tokenizer, config.max_length, generator)
    held_out = {language: HeldOut(tokenizer, language, config.max_length) for language in corpus.LANGUAGES}
    batches = training.shuffled_batches(windows, RECIPE["batch_size"], generator)
    log.parent.mkdir(parents=True, exist_ok=True)
    started, best = time.monotonic(), math.inf
    with log.open("w", encoding="utf-8") as lines:

        def write(**record: Any) -> None:
            lines.write(as_line({**record, "seconds": time.monotonic() - started}))
            lines.flush()

        write(**RECIPE, windows=len(windows), parameters=config.n_parameters, **machine())
        steps = training.train(model, batches, RECIPE["steps"], RECIPE["peak"], RECIPE["warmup"])
        for step in tqdm(steps, "pre-training", RECIPE["steps"], unit="step"):
            if step.step % LOG_EVERY == 0:
                write(**step._asdict())
            last = step.step == RECIPE["steps"] - 1
            if (step.step + 1) % EVALUATE_EVERY == 0 or last:
                bits = {name: h.bits_per_byte(model, HELD_OUT_WINDOWS) for name, h in held_out.items()}
                write(step=step.step, bits_per_byte=bits)
                if sum(bits.values()) < best:
                    best = sum(bits.values())
                    model.save_pretrained(folder, dtype=torch.bfloat16)
        model = Qwen.from_pretrained(folder)
        bits = {name: h.bits_per_byte(model, len(h.windows)) for name, h in held_out.items()}
        write(final_bits_per_byte=bits, note="the saved bfloat16 weights on every held-out window")


def as_line(record: Mapping[str, Any]) -> str:
    """A line of a log: five digits after the point, more would be noise."""
    short = json.loads(json.dumps(record), parse_float=lambda digits: round(float(digits), 5))
    return json.dumps(short, ensure_ascii=False) + "\n"


def machine() -> dict[str, Any]:
    """What the speed in the log depends on."""
    precision = "bfloat16 products" if multiplies_bfloat16() else "float32"
    return {
        "torch": torch.__version__,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
    }
