"""Measures adapters and four bits beside their peers, into benchmarks/RESULTS_ADAPT.md.

    python benchmarks/adapting.py        all tables, into RESULTS_ADAPT.md; about two minutes
    python benchmarks/adapting.py lora   one table, printed only

OMP_NUM_THREADS says how many threads both sides get; without it, one. Needs the packages of the extra `dev`.
"""

import sys
from pathlib import Path

import run
from harness import Report, Table, in_fresh_process

RESULTS = Path(__file__).with_name("RESULTS_ADAPT.md")
TITLES = {"lora": "A step of LoRA", "nf4": "Four bits"}
INTRODUCTION = """\
# Adapters and four bits beside their peers

Written by `make bench` on {date}. Both sides have the same shape, weights, data and threads, and run by turns in the
same minutes; a cell holds the median of the rounds (least to most), the ratio is the median of ours / theirs within a
round. With one thread, seconds are those that the processor spent on the process.

{machine}
"""
MEASURES = {"lora": ("adapters", "lora_step"), "nf4": ("adapters", "four_bits")}


def measure(name: str) -> Table:
    """One table, from a process of its own."""
    return in_fresh_process(*MEASURES[name])


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS_ADAPT.md."""
    packages = ("torch", "transformers", "peft", "bitsandbytes")
    Report("adapting.py", RESULTS, INTRODUCTION, TITLES, measure, packages).write(names, run.prepare)


if __name__ == "__main__":
    main(sys.argv[1:])
