"""Logs of runs over several seeds (`make evidence`): reading them, and how sure a difference between variants is.

Runs that share a seed share their data and most of their first weights, so they are compared in pairs: Student 1908,
"The Probable Error of a Mean", Biometrika 6 (1), https://doi.org/10.1093/biomet/6.1.1.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Record = dict[str, Any]


class Log(NamedTuple):
    """The first line of a log (recipe, variants, machine), and a record for every evaluation of every run."""

    about: Record
    records: list[Record]

    @property
    def hours(self) -> float:
        """What all runs took together, on one core."""
        return sum(record.get("seconds", 0.0) for record in self.records) / 3600

    def at(self, step: int | str, value: Callable[[Record], float]) -> dict[str, list[float]]:
        """`value` of each variant's records at this step, in the order of the seeds."""
        chosen = sorted((r for r in self.records if r["step"] == step), key=lambda record: record["seed"])
        return {name: [value(r) for r in chosen if r["variant"] == name] for name in self.about["variants"]}

    def against(
        self, base: str, step: int | str, value: Callable[[Record], float], level: float = 0.95
    ) -> dict[str, "Interval"]:
        """`paired_difference` to the base of every other variant at this step: above zero, `value` is larger."""
        found = self.at(step, value)
        return {name: paired_difference(found[name], found[base], level) for name in found if name != base}

    @property
    def steps(self) -> list[int] | list[str]:
        """The steps, or the stages by name, that were evaluated."""
        return sorted({record["step"] for record in self.records})


class Interval(NamedTuple):
    """A mean, and where it may lie."""

    low: float
    mean: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether all of it is on one side of zero."""
        return self.low > 0 or self.high < 0


def read_log(path: Path) -> Log:
    """A log of `make evidence`."""
    about, *records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return Log(about, records)


def paired_difference(ours: Sequence[float], base: Sequence[float], level: float = 0.95) -> Interval:
    """mean(d) ± t(level, n − 1) · s / √n for d = ours − base, pair by pair; s is the deviation of d."""
    if len(ours) != len(base) or len(base) < 2:
        raise ValueError(f"pairs are needed, two or more, but there are {len(ours)} and {len(base)} values")
    d = np.subtract(ours, base)
    half = student_t(level, len(d) - 1) * d.std(ddof=1) / len(d) ** 0.5
    return Interval(float(d.mean() - half), float(d.mean()), float(d.mean() + half))


def student_t(level: float, freedom: int) -> float:
    """The t with P(|T| ≤ t) = level: as T = √ν · tan θ, the density of θ is ∝ cos(θ)^(ν−1), summed up by trapezoids."""
    theta = np.linspace(0.0, np.pi / 2, 100_001)
    density = np.cos(theta) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(freedom**0.5 * np.tan(np.interp(level * area[-1], area, theta)))
