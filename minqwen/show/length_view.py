"""Length curves: perplexity at growing lengths, a line for each technique, a band over the parts of the text.

Qwen Technical Report (arXiv:2309.16609), section 2.6, Table 3, as a picture.
"""

import math
from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from minqwen.show import explorer, figure, plots, run_plots, runs
from minqwen.show.runs import Interval, Log

TICKS = (10, 20, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000)
MEASURES = {"all positions": "everywhere", "the last L/2": "at_the_end"}


def growth(log: Log, row: str, length: int, trained: int, measure: str) -> Interval:
    """Perplexity at `length` over that at the trained length: e to the paired difference of nats over the parts."""
    near, far = (_nats(log, row, n, measure) for n in (trained, length))
    return Interval(*(math.exp(nats) for nats in runs.paired_difference(far, near)))


def perplexities(log: Log, row: str, measure: str) -> list[list[float]]:
    """found[part][i] at the i-th length of the log."""
    return np.exp([_nats(log, row, n, measure) for n in lengths(log)]).T.tolist()


def lengths(log: Log) -> list[int]:
    """The lengths, in tokens, that a log of `make evidence NAME=long_context` holds."""
    return [int(n) for n in log.records[0]["nats"]]


def _nats(log: Log, row: str, length: int, measure: str) -> list[float]:
    return log.at(0, lambda run: run["nats"][str(length)][MEASURES[measure]])[row]


def length_curves_plot(
    log: Log, rows: Sequence[str] = (), measure: str = "all positions", trained: int = 256
) -> dict[str, list[float]]:
    """Means over the parts by length, both axes logarithmic; a band reaches from the best to the worst part."""
    rows = list(rows) or list(log.about["variants"])
    values = {row: np.array(perplexities(log, row, measure)) for row in rows}
    means = {row: np.exp(np.log(parts).mean(axis=0)) for row, parts in values.items()}
    times = {row: line[-1] / line[lengths(log).index(trained)] for row, line in means.items()}
    best, worst = (f"{pick(times.values()):.1f} ({pick(times, key=times.get)})" for pick in (min, max))
    title = f"At {lengths(log)[-1] // trained} L the perplexity is {best} to {worst} times that at L"
    with plt.rc_context(figure.STYLE):
        said = "; ".join(f"{row} {', '.join(f'{v:.0f}' for v in line)}" for row, line in means.items())
        [ax] = figure.canvas(f"Perplexity over {measure} at {lengths(log)} tokens: {said}.", 7.2, 3.4)
        for i, parts in enumerate(values.values()):
            colour = run_plots.COLOURS[i % len(run_plots.COLOURS)]
            ax.fill_between(lengths(log), parts.min(axis=0), parts.max(axis=0), color=colour, alpha=0.13, lw=0)
        names = {"x": "tokens read at once; dotted: the trained length", "y": f"perplexity, {measure}"}
        plots.curves(lengths(log), means, title, **names, log_x=True, log_y=True, ax=ax)
        ax.axvline(trained, color="#777777", linewidth=0.9, linestyle=":")
        ax.set_yticks([tick for tick in TICKS if ax.get_ylim()[0] < tick < ax.get_ylim()[1]])
    return {row: line.tolist() for row, line in means.items()}


def length_curves(log: Log, trained: int = 256) -> explorer.Explorer:
    """The curves with their control: over which positions the perplexity is taken."""
    plot = partial(length_curves_plot, log, trained=trained)
    return explorer.explore(plot, measure=list(MEASURES))
