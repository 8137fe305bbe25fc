"""Measures training and generation at three sizes, and how time and memory grow, into benchmarks/RESULTS_GROWTH.md.

    python benchmarks/growth.py           all tables, into RESULTS_GROWTH.md; about five minutes
    python benchmarks/growth.py context   one table, printed only

OMP_NUM_THREADS says how many threads both sides get; without it, one. Needs the packages of the extra `dev`.
"""

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import run
from harness import Report, Rounds, Row, Table, clock, in_fresh_process, interleave

RESULTS = Path(__file__).with_name("RESULTS_GROWTH.md")
WIDTHS = {C: dict(d_model=C, n_heads=C // 32, n_kv_heads=C // 32, d_ff=8 * C // 3) for C in (96, 192, 384)}
CONTEXTS = {T: dict(max_length=T) for T in (256, 512, 1024, 2048)}
TITLES = {"sizes": "Three sizes", "context": "Growth with the context", "width": "Growth with the width"}
INTRODUCTION = """\
# Three sizes, and how time and memory grow

Written by `make bench` on {date}. Both sides have the same shape, weights and threads, and run by turns in the same
minutes; a cell holds the median of the rounds (least to most), the ratio is the median of ours / theirs within a round.
An exponent p says that time or memory grows as size to the power of p: the slope of a line through the logarithms of
all sizes (least squares), for each round.

{machine}
"""


def sizes(widths: Mapping[int, dict[str, Any]] = WIDTHS, new: int = 64, rounds: int = 5) -> Table:
    """Tokens a second in training and in greedy generation."""
    import torch

    import speed

    rows = []
    for C, shape in widths.items():
        timed, tokens = steps(shape, 8, rounds)
        rows.append(Row(f"training, width {C}", "tokens/s", *timed.speeds(tokens)))
        models = speed.pair(shape)
        ids = torch.ones(1, 8, dtype=torch.long)
        timed = interleave(speed.writers(models, ids, new, {}), rounds, clock)
        rows.append(Row(f"generation, batch 1, width {C}", "tokens/s", *timed.speeds(new)))
        parameters = models["ours"].config.n_parameters / 1e6
        rows.append(Row(f"million parameters, width {C}", "", [parameters], [parameters]))
    told = f"Training: batch 8, a round is one step. Generation: prompt of 8 tokens, {new} new ones, with the cache."
    return Table(rows, [told, f"{rounds} rounds after a warm-up."])


def context(contexts: Mapping[int, dict[str, Any]] = CONTEXTS, rounds: int = 5) -> Table:
    """A training step of one sequence, longer and longer."""
    return growth("T", contexts, 1, rounds, "The tiny Qwen (width 192), one sequence a step.")


def width(widths: Mapping[int, dict[str, Any]] = WIDTHS, rounds: int = 5) -> Table:
    """A training step of eight sequences, wider and wider; the vocabulary stays."""
    return growth(
        "C", widths, 8, rounds, "Six layers, heads of 32, MLP 8/3 C, vocabulary 4,096; eight sequences of 256."
    )


def growth(letter: str, shapes: Mapping[int, dict[str, Any]], batch_size: int, rounds: int, told: str) -> Table:
    """Time and extra memory of a training step at each size, then the exponents of both."""
    rows, spent, extra = [], {"ours": [], "peer": []}, {"ours": [], "peer": []}
    for size, shape in shapes.items():
        timed, _ = in_fresh_process("growth", "steps", shape, batch_size, rounds)
        peaks = {side: extra_memory(side, shape, batch_size) for side in extra}
        for side in extra:
            spent[side].append([1000 * seconds for seconds in timed.seconds[side]])
            extra[side].append(peaks[side])
        rows.append(Row(f"step, {letter} = {size:,}", "ms", spent["ours"][-1], spent["peer"][-1]))
        rows.append(Row(f"extra memory, {letter} = {size:,}", "MiB", [peaks["ours"]], [peaks["peer"]]))
    powers = {side: [exponent(list(shapes), each) for each in zip(*spent[side])] for side in spent}
    rows.append(Row(f"exponent of time in {letter}", "", powers["ours"], powers["peer"]))
    powers = {side: [exponent(list(shapes), extra[side])] for side in extra}
    rows.append(Row(f"exponent of extra memory in {letter}", "", powers["ours"], powers["peer"]))
    notes = [
        "Extra memory: the largest resident set of a process that trains three steps, less that of imports alone.",
        f"{rounds} rounds after a warm-up.",
    ]
    return Table(rows, [told, *notes])


def steps(shape: dict[str, Any], batch_size: int, rounds: int) -> tuple[Rounds, int]:
    """One training step a round on each side, and the tokens of a step."""
    import torch

    import speed

    models, generator = speed.pair(shape), torch.Generator().manual_seed(1)
    config, total = models["ours"].config, rounds + 1
    batches = torch.randint(config.vocab_size, (total, batch_size, config.max_length + 1), generator=generator)
    loops = {name: side.train(models[name], batches, total) for name, side in speed.SIDES.items()}

    def step(name: str) -> Callable[[], Any]:
        return lambda: next(loops[name])

    return interleave({name: step(name) for name in speed.SIDES}, rounds, clock), batch_size * config.max_length


def extra_memory(side: str, shape: dict[str, Any], batch_size: int) -> float:
    """MiB that training adds to what the imports take, in fresh processes."""
    trained = in_fresh_process("footprint", "peak", side, "train", shape, batch_size)
    return trained - in_fresh_process("footprint", "peak", side, "import", shape, batch_size)


def exponent(xs: list[float], ys: list[float]) -> float:
    """p of y = a · xᵖ, by least squares on the logarithms."""
    u, w = [math.log(x) for x in xs], [math.log(y) for y in ys]
    mean_u, mean_w = sum(u) / len(u), sum(w) / len(w)
    return sum((a - mean_u) * (b - mean_w) for a, b in zip(u, w)) / sum((a - mean_u) ** 2 for a in u)


MEASURES = {"sizes": sizes, "context": context, "width": width}


def measure(name: str) -> Table:
    """One table. This process stays small, without torch: on Linux a child's peak begins at its parent's."""
    return in_fresh_process("growth", "sizes") if name == "sizes" else MEASURES[name]()


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS_GROWTH.md."""
    Report("growth.py", RESULTS, INTRODUCTION, TITLES, measure).write(names, run.prepare)


if __name__ == "__main__":
    main(sys.argv[1:])
