"""The S-curve of banding: which pairs become candidates, and which errors that makes on both sides of a threshold.

Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.2 (http://www.mmds.org).
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from minqwen.data import lsh
from minqwen.show import explorer, figure


class Bands(NamedTuple):
    """What b bands of r entries do with pairs on both sides of the threshold."""

    entries: int  # b·r, the length of signature that they need
    rise: float  # (1/b)^(1/r), the similarity around which the curve rises
    found: float  # how likely a pair at the threshold becomes a candidate
    false: float  # area under the curve below the threshold
    missed: float  # area above the curve beyond it


def s_curve_plot(
    b: int = 25, r: int = 5, threshold: float = 0.7, measured: Sequence[tuple[float, float]] = ()
) -> Bands:
    """1 - (1 - s^r)^b over s, the areas of false and missed candidates, and, as dots, (s, recall) that was measured."""
    below, above = np.linspace(0, threshold, 201), np.linspace(threshold, 1, 201)
    left, right = lsh.collision_probability(below, b, r), lsh.collision_probability(above, b, r)
    bands = Bands(b * r, (1 / b) ** (1 / r), float(right[0]), np.trapezoid(left, below), np.trapezoid(1 - right, above))
    with plt.rc_context(figure.STYLE):
        alt = (
            f"An S-curve: {b} bands of {r} entries find {bands.found:.0%} of the pairs at similarity {threshold:g}; "
            f"false area {bands.false:.3f}, missed area {bands.missed:.3f}."
        )
        [ax] = figure.canvas(alt, 6.0, 3.2, boxes=((0.6, 0.5, 5.2, 2.3),))
        for at, low, high, color, hatch in ((below, 0, left, figure.ORANGE, "//"), (above, right, 1, figure.SKY, "..")):
            ax.fill_between(at, low, high, facecolor="none", edgecolor=color, hatch=hatch, linewidth=0.0)
        ax.plot(np.r_[below, above], np.r_[left, right], color=figure.BLUE, linewidth=2.0)
        ax.axvline(threshold, color=figure.BLACK, linewidth=0.9, linestyle=":")
        ax.text(0.02, 0.5, f"false candidates: {bands.false:.3f}", color="#9a6700")
        ax.text(0.02, 0.62, f"missed pairs: {bands.missed:.3f}", color="#0b6fa4")
        if len(measured):
            ax.plot(*np.transpose(measured), "o", color=figure.RED, markersize=5, label="measured")
            ax.text(0.02, 0.74, "● measured", color=figure.RED)
        ax.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="Jaccard similarity s", ylabel="becomes a candidate")
        ax.set_title(f"{b} bands of {r} find {bands.found:.0%} of the pairs at {threshold:g}")
    return bands


def s_curve() -> explorer.Explorer:
    """The curve with its controls: b, r and the threshold."""
    return explorer.explore(s_curve_plot, b=(1, 64), r=(1, 32), threshold=(0.3, 0.95, 0.05))
