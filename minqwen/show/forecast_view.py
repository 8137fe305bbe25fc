"""Forecasts against what was measured: points around the line on which both are equal."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, StrMethodFormatter

from minqwen.show import figure, plots


@plt.rc_context(figure.STYLE)
def forecast_plot(
    groups: Mapping[str, Mapping[str, tuple[float, float]]], title: str, unit: str, within: float = 0.25
) -> Axes:
    """`groups[kind][name]` is (measured, predicted); grey is the band of what lies within a share `within`."""
    points = [pair for group in groups.values() for pair in group.values()]
    low, high = min(min(pair) for pair in points) / 1.6, max(max(pair) for pair in points) * 1.6
    said = "; ".join(
        f"{name} {measured:.3g} measured, {predicted:.3g} predicted"
        for group in groups.values()
        for name, (measured, predicted) in group.items()
    )
    [ax] = figure.canvas(f"Predicted against measured, in {unit}: {said}.", width=6.4, height=3.8)
    line = np.array([low, high])
    ax.fill_between(line, line * (1 - within), line * (1 + within), color="#dddddd", lw=0, label=f"± {within:.0%}")
    ax.plot(line, line, color="#777777", linewidth=0.9)
    for (kind, group), marker, colour in zip(groups.items(), "os^D", (figure.BLUE, figure.RED, figure.GREEN, "black")):
        measured, predicted = zip(*group.values())
        ax.plot(measured, predicted, marker, color=colour, markersize=6, label=kind)
        for i, (name, x, y) in enumerate(zip(group, measured, predicted)):
            place = {"xytext": (-7, 5), "ha": "right"} if i % 2 else {"xytext": (7, -8), "ha": "left"}
            ax.annotate(name, (x, y), textcoords="offset points", fontsize=7, color=colour, **place)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())
    ax.legend(loc="upper left", frameon=False, fontsize=8)
    return plots.dress(ax, title, f"measured, {unit}", f"predicted, {unit}")
