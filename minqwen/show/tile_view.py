"""The table of scores in tiles: which of them flash attention computes, which it masks, which it never looks at.

Dao et al. 2022, "FlashAttention" (arXiv:2205.14135), figure 1 and section 3.3.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from minqwen.model import tiles
from minqwen.show import explorer, figure


class Tiles(NamedTuple):
    """How many tiles are computed as they are, computed with a mask, and skipped."""

    whole: int
    masked: int
    skipped: int


def tiles_plot(T: int = 24, block_q: int = 4, block_k: int = 6, causal: bool = True, window: int = 0) -> Tiles:
    """T queries by T keys in tiles, each with the number of its turn; `window` of 0 is none."""
    grid = tiles.grid(T, T, causal, window or None, block_q, block_k)
    met = [(rows, keys, grid.mask(rows, keys)) for rows in grid.rows() for keys in grid.keys(rows)]
    masked = sum(mask is not None for *_, mask in met)
    area = sum((rows.stop - rows.start) * (keys.stop - keys.start) for rows, keys, _ in met)
    every = -(-T // block_q) * -(-T // block_k)
    found = Tiles(len(met) - masked, masked, every - len(met))
    with plt.rc_context(figure.STYLE):
        alt = (
            f"{T} queries by {T} keys: {found.whole} tiles are computed, {found.masked} computed and masked inside; "
            f"{1 - area / T**2:.0%} of the table is never looked at."
        )
        [ax] = figure.canvas(alt, 6.4, 3.6, boxes=((0.6, 0.5, 2.75, 2.75),))
        for turn, (rows, keys, mask) in enumerate(met, start=1):
            corner, size = (keys.start, rows.start), (keys.stop - keys.start, rows.stop - rows.start)
            colour, hatch = (figure.SKY, "") if mask is None else (figure.ORANGE, "///")
            ax.add_patch(Rectangle(corner, *size, facecolor=colour, edgecolor="white", hatch=hatch, linewidth=1.2))
            if len(met) <= 60:
                x, y = keys.start + size[0] / 2, rows.start + size[1] / 2
                ax.text(x, y, turn, ha="center", va="center", fontsize=7, bbox=dict(color="white", pad=0.8))
        for place, (colour, hatch, words) in enumerate(
            [
                (figure.SKY, "", f"computed as it is: {found.whole}"),
                (figure.ORANGE, "///", f"computed, masked inside: {found.masked}"),
                ("#f2f2f2", "", f"never looked at: {1 - area / T**2:.0%} of the table"),
            ]
        ):
            y = 0.9 - 0.12 * place
            style = dict(facecolor=colour, hatch=hatch, edgecolor="white", transform=ax.transAxes, clip_on=False)
            ax.add_patch(Rectangle((1.06, y), 0.08, 0.07, **style))
            ax.text(1.17, y + 0.02, words, transform=ax.transAxes)
        ax.set_facecolor("#f2f2f2")
        ax.set(xlim=(0, T), ylim=(T, 0), xlabel="key position S", ylabel="query position T")
        ax.set_title("Row by row, and never the whole table")
    return found


def tile_explorer() -> explorer.Explorer:
    """The tiles with their controls: length, sizes of a tile, causal, window (0: none)."""
    return explorer.explore(
        tiles_plot, T=(4, 64), block_q=(1, 16), block_k=(1, 16), causal=[True, False], window=(0, 32)
    )
