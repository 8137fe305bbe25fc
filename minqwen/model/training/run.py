"""A whole run in a folder: it logs, measures, keeps its state, and goes on where it was stopped, bit for bit.

The settings are those of the Qwen Technical Report (arXiv:2309.16609), section 2.4.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from minqwen.model import checkpoint
from minqwen.model.qwen import Qwen
from minqwen.model.training import loop, packing, parallel, state
from minqwen.model.training import recipe as recipes
from minqwen.model.training.recipe import Recipe

LOG = "log.jsonl"


class Run:
    """Trains `model` on `windows` by `recipe`; iterate over it for a `loop.Step` each.

    `measure`, called every `measure_every` steps and after the last, returns what goes into the log beside the step.
    `batches` are those of `windows` with the recipe's seed, unless given.
    """

    def __init__(
        self,
        model: Qwen,
        windows: Int[Tensor, "N L"],
        recipe: Recipe,
        folder: str | Path,
        *,
        generator: torch.Generator | None = None,
        measure: Callable[[Qwen], dict[str, Any]] | None = None,
        measure_every: int = 500,
        save_every: int = 100,
        log_every: int = 1,
        log: Path | None = None,
        about: dict[str, Any] | None = None,
        kind: str = "ddp",
    ):
        _check_length(windows, model)
        self.recipe, self.folder, self.measure = recipe, Path(folder), measure
        self.measure_every, self.save_every, self.log_every = measure_every, save_every, log_every
        self.log = log or self.folder / LOG
        self.made_of = {
            **{f"model.{name}": value for name, value in vars(model.config).items()},
            **dataclasses.asdict(recipe),
            "windows": f"{tuple(windows.shape)} {hashlib.sha256(windows.numpy().tobytes()).hexdigest()[:16]}",
        }
        self.about = {**dataclasses.asdict(recipe), **(about or {})}
        generator = generator or torch.Generator().manual_seed(recipe.seed)
        self.batches = packing.shuffled_batches(windows, recipe.batch_size, generator)
        self.plain, self.model = model, parallel.wrap(model, kind)
        self.optimizer = loop.adamw(self.model, recipe.weight_decay)
        self.step, self.seconds, self.saved = 0, 0.0, None
        self._resume()

    def _resume(self) -> None:
        """Stand where the state in the folder stands, if there is one, and forget what was logged after it."""
        about = state.read_about(self.folder)
        if about:
            if differs := recipes.differences(self.made_of, about["made_of"]):
                raise ValueError(
                    f"{self.folder} holds the state of another run: {differs}; give it these settings again, or "
                    "choose another folder for a new run"
                )
            state.load(self.folder, self.model, self.optimizer)
            self.batches.resume(about)
            self.step, self.seconds, self.saved = about["step"], about["seconds"], about["step"]
        self.started = time.monotonic() - self.seconds
        if self._is_first:
            self._begin_log()

    @property
    def _is_first(self) -> bool:
        return parallel.rank() == 0

    def _begin_log(self) -> None:
        """The first line, or the lines up to the state, whole ones: the last may have been cut when the run ended."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        lines = self.log.read_text("utf-8").splitlines() if self.step and self.log.exists() else []
        kept = [record for line in lines if (record := _record(line)) and record.get("step", -1) < self.step]
        aside = self.log.with_suffix(".part")
        aside.write_text("".join(as_line(record) for record in kept), encoding="utf-8")
        os.replace(aside, self.log)
        if not kept:
            self.write(**self.about)

    def write(self, **record: Any) -> None:
        """A line of the log, with the seconds since the run began, pauses left out."""
        if self._is_first:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(as_line({**record, "seconds": time.monotonic() - self.started}))

    def save(self) -> None:
        """Keep the state; a state that cannot be written leaves the one before as it was."""
        about = {
            "made_of": self.made_of,
            "step": self.step,
            "seconds": time.monotonic() - self.started,
            **self.batches.state(),
        }
        try:
            state.save(self.folder, self.model, self.optimizer, about)
        except OSError as error:
            raise OSError(f"{error}; {self._way_back()}. Free some space, then run the same again") from error
        self.saved = self.step

    def save_model(self) -> None:
        """Write a hub folder, config.json and model.safetensors, beside the state."""
        weights = state.weights(self.model)
        if self._is_first:
            checkpoint.save(self.folder, self.plain.config.to_hub(), weights)

    def _way_back(self) -> str:
        if self.saved is None:
            return "no state was saved before"
        return f"the last good state is that of step {self.saved}, in {self.folder / state.FILE}"

    def __iter__(self) -> Iterator[loop.Step]:
        """The steps that are left; the state is saved every `save_every` of them, and after the last."""
        r = self.recipe
        settings = {"parts": r.parts, "bfloat16": r.bfloat16, "optimizer": self.optimizer, "start": self.step}
        steps = loop.train(self.model, self.batches, r.steps, r.peak, r.warmup, r.clip, **settings)
        try:
            for step in steps:
                self._after(step)
                yield step
        except loop.NotANumberError as error:
            raise loop.NotANumberError(f"{error}. The batch: {self.batches.described}; {self._way_back()}") from error

    def _after(self, step: loop.Step) -> None:
        self.step = step.step + 1
        last = self.step == self.recipe.steps
        if step.step % self.log_every == 0:
            self.write(**step._asdict())
        if self.measure and (self.step % self.measure_every == 0 or last):
            self.write(step=step.step, **self.measure(self.model))
        if self.step % self.save_every == 0 or last:
            self.save()


def _check_length(windows: Tensor, model: Qwen) -> None:
    read, context = windows.shape[1] - 1, model.config.max_length
    if read > context:
        raise ValueError(
            f"windows of {read + 1} tokens make the model read {read}, past its context of {context}; "
            f"cut them to {context + 1}, or give the model max_length={read}"
        )


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log, the recipe first."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _record(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def as_line(record: dict[str, Any]) -> str:
    """A line of a log: five digits after the point, more would be noise."""
    short = json.loads(json.dumps(record), parse_float=lambda digits: round(float(digits), 5))
    return json.dumps(short, ensure_ascii=False) + "\n"
