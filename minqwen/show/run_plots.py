"""Pictures of logged runs: curves with a band over the seeds, and differences with their intervals around zero.

Intervals drawn in place of stars follow Cumming 2014, "The New Statistics: Why and How", Psychological Science 25 (1),
https://doi.org/10.1177/0956797613504966.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from minqwen.show import figure, plots
from minqwen.show.runs import Interval

COLOURS = [to_hex(colour) for colour in figure.STYLE["axes.prop_cycle"].by_key()["color"]]
MARKS = ("o", "s", "^", "D")
APART = 0.3  # of a row, between its whiskers


@plt.rc_context(figure.STYLE)
def bands(
    at: plots.Numbers,
    lines: Mapping[str, Sequence[Sequence[float]]],
    title: str,
    x: str,
    y: str,
    alt: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The mean of each name's seeds as a line, from their lowest to their highest as a band; lines[name][seed][i]."""
    values = {name: figure.numbers(seeds) for name, seeds in lines.items()}
    if ax is None:
        described = f"Lines with bands over seeds, {y} by {x}, of {', '.join(lines)}: {title}"
        [ax] = figure.canvas(alt or described)
    for i, seeds in enumerate(values.values()):
        ax.fill_between(
            figure.numbers(at), seeds.min(axis=0), seeds.max(axis=0), color=COLOURS[i % len(COLOURS)], alpha=0.2, lw=0
        )
    return plots.curves(at, {name: seeds.mean(axis=0) for name, seeds in values.items()}, title, x, y, ax=ax)


@plt.rc_context(figure.STYLE)
def intervals(
    rows: Mapping[str, Mapping[str, Interval]],
    title: str,
    x: str,
    y: str = "",
    alt: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A row a name, in it a mark and a whisker for each part: rows["ReLU"]["en"]. Filled where zero is excluded."""
    parts = list(next(iter(rows.values())))
    if ax is None:
        described = f"Means with intervals around zero, {x}, of {', '.join(rows)}, each for {', '.join(parts)}: {title}"
        [ax] = figure.canvas(alt or described, height=max(3.0, 0.22 * len(rows) * len(parts) + 1.0))
    ax.axvline(0.0, color="#777777", linewidth=1.0)
    for j, part in enumerate(parts):
        shift = APART * (j - (len(parts) - 1) / 2)
        for row, name in enumerate(rows):
            _whisker(ax, rows[name][part], row + shift, COLOURS[j], MARKS[j])
    ax.set_yticks(np.arange(len(rows)), [figure.drawable(name) for name in rows])
    ax.set_ylim(len(rows) - 0.5, -0.75)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    _name_parts(ax, rows, parts)
    return plots.dress(ax, title, x, y)


def _whisker(ax: Axes, interval: Interval, height: float, colour: str, mark: str) -> None:
    ax.plot([interval.low, interval.high], [height, height], color=colour, linewidth=1.6)
    filled = colour if interval.excludes_zero else "white"
    ax.plot(
        interval.mean, height, mark, color=colour, markerfacecolor=filled, markersize=5.5, markeredgewidth=1.4, zorder=3
    )


def _name_parts(ax: Axes, rows: Mapping[str, Mapping[str, Interval]], parts: Sequence[str]) -> None:
    """Each part's name once, beside its mark in the row that reaches furthest to the right."""
    reach = [max(interval.high for interval in row.values()) for row in rows.values()]
    furthest = int(np.argmax(reach))
    for j, part in enumerate(parts):
        ax.annotate(
            figure.drawable(part),
            xy=(reach[furthest], furthest + APART * (j - (len(parts) - 1) / 2)),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold",
            color=COLOURS[j],
        )
