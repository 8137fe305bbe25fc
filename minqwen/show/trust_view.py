"""A trust region in the plane: lines of equal gain, the bound on the divergence, and where two steps lead.

Schulman et al. 2015, "Trust Region Policy Optimization" (arXiv:1502.05477), section 6.
"""

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from minqwen.show import figure, plots

GRID = 81
COLOURS, STROKES = (figure.BLUE, figure.RED, figure.BLACK), ("-", "--", ":")


@plt.rc_context(figure.STYLE)
def trust_region(
    gain: Callable[[Tensor], Tensor],
    kl: Callable[[Tensor], Tensor],
    start: Float[Tensor, "2"],
    ends: Mapping[str, Float[Tensor, "2"]],
    limit: float,
    title: str,
    names: tuple[str, str],
    reach: tuple[float, float] = (1.0, 0.6),
) -> Axes:
    """Contours of the gain around `start`, the line KL = limit, and an arrow to each end, by name."""
    sides = [torch.linspace(-r, r, GRID, dtype=torch.float64) + s for r, s in zip(reach, start.tolist())]
    x, y = torch.meshgrid(*sides, indexing="xy")
    points = torch.stack([x, y], dim=-1).flatten(0, 1)
    heights, far = ([float(f(p)) for p in points] for f in (gain, kl))
    alt = (
        f"Contours of the gain over {names[0]} and {names[1]}, the line KL = {limit:g}, and arrows: {', '.join(ends)}."
    )
    [ax] = figure.canvas(alt, 6.0, 3.6)
    ax.contour(x, y, np.reshape(heights, x.shape), 14, cmap=figure.SEQUENTIAL, linewidths=0.9)
    ax.contour(x, y, np.reshape(far, x.shape), [limit], colors=[figure.GREEN], linewidths=2.2)
    ax.plot(*start.tolist(), "o", color=figure.BLACK, markersize=5)
    for (name, end), colour, stroke in zip(ends.items(), COLOURS, STROKES):
        arrow = dict(arrowstyle="->", color=colour, linewidth=2.0, linestyle=stroke, shrinkA=0, shrinkB=0)
        ax.annotate("", end.tolist(), start.tolist(), arrowprops=arrow)
        ax.annotate(name, end.tolist(), (6, -3), textcoords="offset points", color=colour, fontweight="bold")
    return plots.dress(ax, title, *names)
