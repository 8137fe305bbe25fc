"""Pre-trains the tiny Qwen on the shipped corpus: recipe, log, and the best checkpoint by held-out bits per byte.

The log is one JSON object a line: first the recipe, then the training loss every 50 steps and the held-out bits per
byte of both languages every 500. Both languages are shuffled together, whole documents joined and cut to the context.
Matrices are multiplied in bfloat16 and everything else is float32, as in the report (section 2.4), where the processor
has instructions for that: without them bfloat16 is far slower than float32, and float32 is used throughout. A run that
was stopped goes on where its last state was saved.
"""

import json
import math
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, training
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


def run(folder: Path, state: Path, log: Path, tokenizer: Tokenizer) -> training.Run:
    """The run of the recipe; `folder` gets the best model in bfloat16, `log` a line for everything measured."""
    config, recipe = QwenConfig(), training.Recipe(**RECIPE, bfloat16=training.multiplies_bfloat16())
    generator = torch.Generator().manual_seed(recipe.seed)
    model = Qwen(config, generator)
    windows = shuffled_windows(training_documents(tokenizer), tokenizer, config.max_length, generator)
    held_out = {language: HeldOut(tokenizer, language, config.max_length) for language in corpus.LANGUAGES}

    def measure(model: Qwen) -> dict[str, Any]:
        bits = {name: h.bits_per_byte(model, HELD_OUT_WINDOWS) for name, h in held_out.items()}
        if sum(bits.values()) < best_so_far(log):
            model.save_pretrained(folder, dtype=torch.bfloat16)
        return {"bits_per_byte": bits}

    about = {"windows": len(windows), "parameters": config.n_parameters, **machine()}
    often = {"log_every": LOG_EVERY, "measure_every": EVALUATE_EVERY, "save_every": EVALUATE_EVERY}
    return training.Run(
        model, windows, recipe, state, generator=generator, measure=measure, log=log, about=about, **often
    )


def best_so_far(log: Path) -> float:
    """The smallest sum over both languages in the log."""
    records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return min((sum(r["bits_per_byte"].values()) for r in records if "bits_per_byte" in r), default=math.inf)


def pretrain(folder: Path, log: Path) -> None:
    """Train by the recipe, or go on where that was stopped; then measure the best model on all that is held out."""
    tokenizer, state = Tokenizer.from_pretrained(folder), folder.with_name(f"{folder.name}.state")
    pretraining = run(folder, state, log, tokenizer)
    for _ in tqdm(pretraining, "pre-training", RECIPE["steps"], initial=pretraining.step, unit="step"):
        pass
    model = Qwen.from_pretrained(folder)
    held_out = {language: HeldOut(tokenizer, language, model.config.max_length) for language in corpus.LANGUAGES}
    bits = {name: h.bits_per_byte(model, len(h.windows)) for name, h in held_out.items()}
    pretraining.write(final_bits_per_byte=bits, note="the saved bfloat16 weights on every held-out window")
    shutil.rmtree(state)


def machine() -> dict[str, Any]:
    """What the speed in the log depends on."""
    precision = "bfloat16 products" if training.multiplies_bfloat16() else "float32"
    return {
        "torch": torch.__version__,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
    }
