"""Measures minqwen beside `transformers` and writes benchmarks/RESULTS.md.

    python benchmarks/run.py             all tables, into RESULTS.md; some minutes on a quiet machine
    python benchmarks/run.py training    one table, printed only

OMP_NUM_THREADS says how many threads both sides get; without it, one. Needs the packages of the extra `dev`.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import footprint
from harness import Report, Table, in_fresh_process

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
TABLES: dict[str, tuple[str, Callable[[], Table]]] = {
    "training": ("Training", lambda: in_fresh_process("speed", "training")),
    "generation": ("Generation", lambda: in_fresh_process("speed", "generation")),
    "decoding": ("Decoding at the shape of a real model", lambda: in_fresh_process("speed", "decoding")),
    "import": ("Import time", footprint.import_time),
    "memory": ("Peak memory", footprint.memory),
}
INTRODUCTION = """\
# Speed and memory beside `transformers`

Written by `make bench` on {date}. Both sides have the same shape, weights and threads, and run by turns in the same
minutes; a cell holds the median of the rounds (least to most), the ratio is the median of ours / theirs within a round.
With one thread, seconds are those that the processor spent on the process: on a quiet machine the same as the wall's.
The settings of glibc's allocator that `course.py` gives the course hold for both. No torch.compile on either side.

{machine}
"""


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS.md."""
    titles = {name: title for name, (title, _) in TABLES.items()}
    Report("run.py", RESULTS, INTRODUCTION, titles, lambda name: TABLES[name][1]()).write(names, prepare)


def prepare() -> None:
    """What the processes that measure shall find in their environment; they inherit it."""
    sys.path.insert(0, str(ROOT))  # this checkout, whatever is installed
    import course

    os.environ.update(course.allocator())
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # both sides are imported from bytecode


if __name__ == "__main__":
    main(sys.argv[1:])
