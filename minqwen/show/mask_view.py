"""The mask painter: which keys a query sees through a window, and how far that reaches when layers are stacked.

Windows that move with the token: Beltagy et al. 2020, "Longformer" (arXiv:2004.05150), section 3.1.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import Tensor

from minqwen.model import long_context
from minqwen.show import explorer, figure

TOKENS = 24


class Painted(NamedTuple):
    """What the picture shows, in numbers."""

    mask: Bool[Tensor, "T T"]  # of one layer
    reached: Bool[Tensor, "T T"]  # by way of all layers
    scores: int  # that one layer computes: the True cells
    reach: int  # the furthest distance that information travels


def through(mask: Bool[Tensor, "T T"], layers: int) -> Bool[Tensor, "T T"]:
    """reached[t, s]: whether something of token s arrives at token t by way of so many layers with this mask."""
    reached = mask
    for _ in range(layers - 1):
        reached = (mask.float() @ reached.float()) > 0
    return reached


def mask_painter_plot(window: int = 6, layers: int = 2, query: int = 17) -> Painted:
    """The mask of one layer, the row of a query marked; beside it what the query hears of by way of all layers."""
    mask = long_context.window_mask(TOKENS, TOKENS, window)
    reached = through(mask, layers)
    behind = torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)
    painted = Painted(mask, reached, int(mask.sum()), int(behind[reached].max()))
    with plt.rc_context(figure.STYLE):
        alt = (
            f"Two grids of {TOKENS} queries by {TOKENS} keys. Left, a window of {window}: query {query} sees keys "
            f"{max(query - window + 1, 0)} to {query}. Right, {layers} such layers: it hears of "
            f"{int(reached[query].sum())} keys."
        )
        left, right = figure.canvas(alt, 7.6, 3.9, boxes=((0.5, 0.55, 2.7, 2.7), (4.3, 0.55, 2.7, 2.7)))
        _grid(left, mask, query, f"One layer, window {window}: {painted.scores} scores")
        _grid(right, reached, query, f"{layers} layer{'s' * (layers > 1)}: reach {painted.reach}")
    return painted


def _grid(ax: Axes, cells: Tensor, query: int, title: str) -> None:
    """White where hidden, blue where seen; the chosen query's row framed and dotted, so that colour is not needed."""
    ax.imshow(cells.numpy(), cmap=ListedColormap(["white", "#9ecbe8"]), vmin=0, vmax=1)
    ax.set_xticks(np.arange(-0.5, TOKENS), minor=True)
    ax.set_yticks(np.arange(-0.5, TOKENS), minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.5)
    ax.tick_params(which="minor", length=0)
    seen = cells[query].nonzero().squeeze(1).tolist()
    ax.plot(seen, [query] * len(seen), "o", color=figure.BLACK, markersize=3)
    ax.axhspan(query - 0.5, query + 0.5, fill=False, edgecolor=figure.RED, linewidth=1.2)
    ax.set(xlabel="key S", ylabel="query T")
    ax.set_title(title)


def mask_painter() -> explorer.Explorer:
    """The masks with their controls: window, layers, and the query that is marked."""
    return explorer.explore(mask_painter_plot, window=(1, TOKENS), layers=(1, 6), query=(0, TOKENS - 1))
