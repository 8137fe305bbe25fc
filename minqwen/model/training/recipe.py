"""The numbers that a run is made of, checked before anything starts.

Qwen Technical Report (arXiv:2309.16609), section 2.4 and Table 1.
"""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. Two runs of the same recipe, model and windows are the same run, bit for bit."""

    steps: int
    peak: float
    warmup: int
    batch_size: int = 8  # windows a step, over all parts and processes
    parts: int = 1  # gradients of so many parts are added up before a step
    clip: float = 1.0
    weight_decay: float = 0.1
    bfloat16: bool = False  # for matrix products
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            value, wanted = getattr(self, field.name), field.type
            if type(value) is not wanted and not (wanted is float and type(value) is int):
                raise ValueError(f"{field.name}={value!r} must be of type {wanted.__name__}")
        if self.peak <= 0:
            raise ValueError(f"peak={self.peak} would not move the weights; the tiny Qwen learned at 0.0025")
        for name in ("steps", "batch_size", "parts", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be above zero")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(
                f"warmup={self.warmup} must lie between 0 and steps={self.steps}; use {self.steps // 100} "
                "(a hundredth of the run is usual)"
            )
        if self.batch_size % self.parts:
            raise ValueError(
                f"batch_size={self.batch_size} does not split into parts={self.parts}; "
                f"use batch_size={max(self.batch_size // self.parts, 1) * self.parts}"
            )


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What two records of a run do not have in common, in words; "" if nothing."""
    names = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    return "; ".join(f"{name} is {theirs.get(name)} there and {ours.get(name)} here" for name in sorted(names))
