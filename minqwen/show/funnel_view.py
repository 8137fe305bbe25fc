"""The funnel: how many pages are left after each stage of cleaning, and what each has cost."""

from collections.abc import Mapping
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minqwen.show import figure


@plt.rc_context(figure.STYLE)
def funnel(
    left: Mapping[str, int], title: str, unit: str = "pages", alt: str | None = None, ax: Axes | None = None
) -> Axes:
    """A bar for what is left after each stage, centred, with its number in it and what the stage has cost beside it."""
    names, counts = list(left), list(left.values())
    if not counts or counts[0] <= 0 or any(after > before for before, after in pairwise(counts)):
        raise ValueError(f"{dict(left)} is no funnel: begin with how many {unit} there were, and let none come back")
    if ax is None:
        lost = ", ".join(f"{name} {count:,}" for name, count in left.items())
        [ax] = figure.canvas(
            alt or f"Funnel, {unit} left after each stage: {lost}. {title}", height=0.32 * len(left) + 0.9
        )
    ax.barh(names, counts, left=[-count / 2 for count in counts], color=figure.BLUE, height=0.78)
    for row, (before, count) in enumerate(zip([counts[0], *counts], counts)):
        wide = count > 0.12 * counts[0]
        color = "white" if wide else "#222222"
        ax.text(0 if wide else counts[0] * 0.01 + count / 2, row, f"{count:,}", va="center", color=color,
                ha="center" if wide else "left", fontsize=8, fontweight="bold")  # fmt: skip
        if count < before:
            share = f"−{before - count:,}  ({(before - count) / before:.0%})"
            ax.text(0.52 * counts[0], row, share, va="center", fontsize=8, color="#444444")
    ax.invert_yaxis()
    ax.set_xlim(-0.52 * counts[0], 0.75 * counts[0])
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return ax
