"""Measures flash attention beside the formula and torch's kernel and writes benchmarks/RESULTS_FLASH.md.

    python benchmarks/flash.py          all tables, into RESULTS_FLASH.md; about three minutes
    python benchmarks/flash.py memory   one table, printed only

One batch, one head of 64 channels. OMP_NUM_THREADS says how many threads all get; without it, one.
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import run
from harness import Goal, Report, Row, Table, clock, in_fresh_process, interleave

RESULTS = Path(__file__).with_name("RESULTS_FLASH.md")
D = 64
TITLES = {
    "naive": "Time beside the formula",
    "fused": "Time beside torch's kernel",
    "memory": "Extra memory beside the formula",
    "fused_memory": "Extra memory beside torch's kernel",
    "blocks": "Time by the size of a tile",
}
INTRODUCTION = """\
# Flash attention: time and memory

Written by `make bench` on {date}. Ours is `flash.flash_attention`, Python around torch's products. The formula is
`attention.scaled_dot_product_attention`, which holds all T · T weights; torch's kernel is its own flash attention,
`F.scaled_dot_product_attention`, in C++. Both sides run by turns in the same minutes; a cell holds the median of the
rounds (least to most), the ratio is the median of ours / theirs within a round.
With one thread, seconds are those that the processor spent on the process: on a quiet machine the same as the wall's.
The settings of glibc's allocator that `course.py` gives the course hold for both.

{machine}
"""
Attention = Callable[[Tensor, Tensor, Tensor, bool, Tensor | None], Tensor]


def ours(q: Tensor, k: Tensor, v: Tensor, causal: bool, mask: Tensor | None) -> Tensor:
    """The library's kernel; it needs no mask."""
    from minqwen.model import flash  # this file has the same name

    return flash.flash_attention(q, k, v, causal)


def formula(q: Tensor, k: Tensor, v: Tensor, causal: bool, mask: Tensor | None) -> Tensor:
    """The library's slow twin, with a mask that was made before."""
    from minqwen.model import attention

    return attention.scaled_dot_product_attention(q, k, v, mask)


def fused(q: Tensor, k: Tensor, v: Tensor, causal: bool, mask: Tensor | None) -> Tensor:
    """Torch's kernel, which needs no mask either."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def passes(attend: Attention, T: int, causal: bool, masked: bool) -> dict[str, Callable[[], Any]]:
    """The forward pass without a graph, and the backward pass of one forward pass made before."""
    from minqwen.model import attention

    generator = torch.Generator().manual_seed(0)
    q, k, v, toward = (torch.randn(1, 1, T, D, generator=generator) for _ in range(4))
    mask = attention.causal_mask(T, T) if masked and causal else None
    inputs = [x.clone().requires_grad_() for x in (q, k, v)]
    out = attend(*inputs, causal, mask)
    return {
        "forward": lambda: attend(q, k, v, causal, mask),
        "backward": lambda: torch.autograd.grad(out, inputs, toward, retain_graph=True),
        "forward, with what the backward pass needs": lambda: attend(*inputs, causal, mask),
    }


def times(peer: Attention, lengths: tuple[int, ...], rounds: int, goal: Goal | None, name: str) -> Table:
    """Milliseconds of both passes, with and without a causal mask."""
    rows = []
    for T in lengths:
        for causal in (True, False):
            sides = {"ours": passes(ours, T, causal, False), "peer": passes(peer, T, causal, peer is formula)}
            for each in ("forward", "backward"):
                timed = interleave({side: sides[side][each] for side in sides}, rounds, clock)
                spent = [[1000 * s for s in timed.seconds[side]] for side in sides]
                seen = "causal" if causal else "no mask"
                rows.append(Row(f"{each}, {seen}, T = {T:,}", "ms", *spent, goal if T >= 2048 else None))
    return Table(rows, [*settings(), f"{rounds} rounds after a warm-up."], name)


def naive(lengths: tuple[int, ...] = (1024, 2048, 4096, 8192), rounds: int = 5) -> Table:
    """Beside the formula."""
    return times(formula, lengths, rounds, Goal("ratio", "≤", 1), "formula")


def fused_table(lengths: tuple[int, ...] = (2048, 4096, 8192, 16384), rounds: int = 3) -> Table:
    """Beside torch's kernel."""
    return times(fused, lengths, rounds, None, "torch's kernel")


def bytes_of(peer: Attention, lengths: tuple[int, ...], goal_at: int | None, name: str) -> Table:
    """The largest sum of what a pass has allocated and not freed, and how it grows from each length to the next."""
    extra: dict[str, dict[str, list[float]]] = {}
    for T in lengths:
        sides = {"ours": passes(ours, T, True, False), "peer": passes(peer, T, True, peer is formula)}
        for each in list(sides["ours"])[1:]:
            for side in sides:
                peaks = extra.setdefault(each, {}).setdefault(side, [])
                peaks.append(peak(sides[side][each]) / 2**20)
    rows = []
    for each, sides in extra.items():
        for T, mine, theirs in zip(lengths, sides["ours"], sides["peer"]):
            goal = Goal("ratio", "≤", 1 / 16) if goal_at == T else None
            rows.append(Row(f"{each}, T = {T:,}", "MiB", [mine], [theirs], goal))
        growth = [[side[-1] / side[-2]] for side in (sides["ours"], sides["peer"])]
        rows.append(Row(f"{each}: growth from T = {lengths[-2]:,} to {lengths[-1]:,}", "x", *growth))
    told = "Extra: the largest sum of what torch's profiler sees allocated and not yet freed during one pass, causal."
    return Table(rows, [*settings(), told], name)


def memory(lengths: tuple[int, ...] = (1024, 2048, 4096, 8192), goal_at: int = 4096) -> Table:
    """Beside the formula."""
    return bytes_of(formula, lengths, goal_at, "formula")


def fused_memory(lengths: tuple[int, ...] = (4096, 8192, 16384)) -> Table:
    """Beside torch's kernel."""
    return bytes_of(fused, lengths, None, "torch's kernel")


def peak(function: Callable[[], Any]) -> int:
    """The most bytes that the function held at one time, by torch's profiler."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profiler:
        kept = function()
    del kept
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    in_time = sorted(events, key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in in_time))


def blocks(sizes: tuple[int, ...] = (64, 128, 256, 512, 1024), T: int = 4096, rounds: int = 3) -> Table:
    """Both passes in tiles of each size, beside the size that is the default."""
    from minqwen.model import flash

    def tiled(size: int) -> Attention:
        return lambda q, k, v, causal, mask: flash.flash_attention(q, k, v, causal, size, size)

    rows = []
    for size in sizes:
        sides = {"ours": passes(tiled(size), T, True, False), "peer": passes(ours, T, True, False)}
        for each in ("forward", "backward"):
            timed = interleave({side: sides[side][each] for side in sides}, rounds, clock)
            spent = [[1000 * s for s in timed.seconds[side]] for side in sides]
            rows.append(Row(f"{each}, {size} by {size}", "ms", *spent))
    told = f"T = {T:,}, causal; beside the default of 512 by 512. {rounds} rounds after a warm-up."
    return Table(rows, [told], "512 by 512")


def settings() -> list[str]:
    """What holds for every table."""
    return [
        f"B = H = 1, D = {D}, float32; tiles of 512 by 512. The formula's causal mask is made before and not counted."
    ]


MEASURES = {"naive": naive, "fused": fused_table, "memory": memory, "fused_memory": fused_memory, "blocks": blocks}


def measure(name: str) -> Table:
    """One table, in the process that calls it."""
    return MEASURES[name]()


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS_FLASH.md."""
    each = partial(in_fresh_process, "flash", "measure")
    Report("flash.py", RESULTS, INTRODUCTION, TITLES, each, ("torch",)).write(names, run.prepare)


if __name__ == "__main__":
    main(sys.argv[1:])
