"""Fair comparisons: interleaved rounds, medians with their spread, fresh processes, and tables in Markdown.

Standard library only, so that the process that starts the others stays small: on Linux a child's peak memory begins at
its parent's.
"""

import importlib
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

TINY: dict[str, Any] = {}  # the defaults of QwenConfig: the course's tiny Qwen
SMOLLM2 = dict(
    vocab_size=49152, d_model=576, n_layers=30, n_heads=9, n_kv_heads=3, d_ff=1536, max_length=2048,
    rope_base=100000.0, norm_eps=1e-5, qkv_bias=False, tie_embeddings=True,
)  # fmt: skip


class Goal(NamedTuple):
    """What a row shall reach: its ratio, or its own value, at least or at most `value`."""

    of: str  # "ratio" | "ours"
    sign: str  # "≥" | "≤"
    value: float


@dataclass(frozen=True)
class Row:
    """One measurement of both sides, a value for each round; without `peer` the row is about us alone."""

    what: str
    unit: str  # "%" shows a share as such; the others are shown after the number
    ours: list[float]
    peer: list[float] | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """The median of ours / theirs over the rounds: both sides of a round ran within seconds of each other."""
        return statistics.median(o / p for o, p in zip(self.ours, self.peer)) if self.peer else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal.of == "ratio" else statistics.median(self.ours)
        return value >= self.goal.value if self.goal.sign == "≥" else value <= self.goal.value

    def markdown(self) -> str:
        """| what | ours | the peer | ratio | goal | reached |"""
        ratio = f"{self.ratio:.2f}" if self.peer else ""
        goal, reached = "", ""
        if self.goal:
            value = show(self.goal.value, self.unit) if self.goal.of == "ours" else f"{self.goal.value:g}"
            goal = f"{'ratio ' if self.goal.of == 'ratio' else ''}{self.goal.sign} {value}"
            reached = "yes" if self.reached else "**no**"
        cells = (self.what, spread(self.ours, self.unit), spread(self.peer or [], self.unit), ratio, goal, reached)
        return f"| {' | '.join(cells)} |"


class Table(NamedTuple):
    """A section of a file of results."""

    rows: list[Row]
    settings: list[str]  # one sentence each: shapes, what was tried, what is counted
    peer: str = "transformers"

    def markdown(self) -> str:
        """The rows under their heading, then the settings as a list."""
        head = [f"| | ours | {self.peer} | ratio | goal | reached |", "| --- | --- | --- | --: | --- | --- |"]
        settings = [f"- {line}" for line in self.settings]
        return "\n".join([*head, *(row.markdown() for row in self.rows), "", *settings])


def show(value: float, unit: str) -> str:
    """Three significant digits or the whole number: 0.0123 s, 3,530 tokens/s, 62.1 %."""
    if unit == "%":
        return f"{100 * value:.1f} %"
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{number} {unit}".strip()


def spread(values: list[float], unit: str) -> str:
    """The median, and in brackets the least and the most when they differ."""
    if not values:
        return ""
    low, middle, high = (show(f(values), unit) for f in (min, statistics.median, max))
    return middle if low == high else f"{middle} ({low.split()[0]} to {high.split()[0]})"


def clock() -> float:
    """Seconds of the processor for one thread, so that a busy neighbour costs less; of the wall for several."""
    return time.process_time() if os.environ.get("OMP_NUM_THREADS") == "1" else time.perf_counter()


class Rounds(NamedTuple):
    """Seconds of each run in each round, and how many cores the process got of the machine meanwhile."""

    seconds: dict[str, list[float]]
    cores: float

    def quiet(self) -> str:
        """How undisturbed the measurement was."""
        n = len(next(iter(self.seconds.values())))
        return f"{n} round{'s' * (n > 1)} after a warm-up; the process had the time of {self.cores:.2f} cores."

    def speeds(self, amount: float) -> list[list[float]]:
        """What both sides got done a second in each round, `amount` a round."""
        return [[amount / seconds for seconds in self.seconds[name]] for name in ("ours", "peer")]


def interleave(
    runs: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> Rounds:
    """Time each run once a round, after a round of warm-up; every other round goes backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(rounds + 1):
        if i == 1:
            wall, cpu = time.perf_counter(), time.process_time()
        for name in list(runs)[:: 1 if i % 2 else -1]:
            started = clock()
            runs[name]()
            seconds[name].append(clock() - started)
    cores = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return Rounds({name: values[1:] for name, values in seconds.items()}, cores)


def in_fresh_process(module: str, function: str, *arguments: Any) -> Any:
    """The result of module.function(*arguments) in a new Python that has imported nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_call, (module, function, arguments))


def _call(module: str, function: str, arguments: tuple) -> Any:
    return getattr(importlib.import_module(module), function)(*arguments)


class Report(NamedTuple):
    """The tables of one script, by name, and the file that holds them all."""

    script: str
    results: Path
    introduction: str  # with blanks for {date} and {machine}
    titles: Mapping[str, str]
    measure: Callable[[str], Table]
    packages: tuple[str, ...] = ("torch", "transformers")  # whose versions the file states

    def write(self, names: list[str], prepare: Callable[[], Any]) -> None:
        """Measure and print the named tables; all of them, which go to the file too, if none is named."""
        unknown = set(names) - set(self.titles)
        if unknown:
            raise SystemExit(f"no table is called {', '.join(unknown)}; there are {', '.join(self.titles)}")
        prepare()
        sections = [self.introduction.format(date=time.strftime("%Y-%m-%d"), machine=machine(self.packages))]
        for number, (name, title) in enumerate(self.titles.items(), start=1):
            if name in (names or self.titles):
                command = f"`python benchmarks/{self.script} {name}`"
                section = f"## {number}. {title}\n\n{command}\n\n{self.measure(name).markdown()}\n"
                print(section, flush=True)
                sections.append(section)
        if not names:
            self.results.write_text("\n".join(sections), encoding="utf-8")


def machine(packages: tuple[str, ...]) -> str:
    """What the numbers depend on, in one line."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return (
        f"{platform.system()} on {processor(platform.machine(), cpu_info())}, {os.cpu_count()} cores; "
        f"OMP_NUM_THREADS={threads}; Python {platform.python_version()}, {versions}"
    )


def processor(kind: str, lines: list[str]) -> str:
    """The kind of processor, and which of the instructions it has that decide the speed of matrix products."""
    flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()}
    known = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_tile": "AMX", "asimd": "NEON", "sve": "SVE"}
    found = ", ".join(name for flag, name in known.items() if flag in flags)
    return f"{kind} with {found}" if found else kind


def cpu_info() -> list[str]:
    """The lines of /proc/cpuinfo, none where there is no such file."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
