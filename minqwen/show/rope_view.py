"""The RoPE clock: a pair of channels as two hands of a clock, and why only their distance counts.

Su et al. 2021, "RoFormer" (arXiv:2104.09864), sections 3.2.2 and 3.4.1.
"""

import math
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from ipywidgets import FloatLogSlider
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from minqwen.model import rope
from minqwen.show import explorer, figure, plots

FURTHEST = 64  # the greatest distance in the right-hand picture


class Hands(NamedTuple):
    """One pair of channels of a query at m and a key at n, and their product: the pair's share of the score."""

    q: Float[Tensor, " 2"]
    k: Float[Tensor, " 2"]
    score: float


def pair_at(positions: Float[Tensor, " T"], pair: int, base: float, d_head: int) -> Float[Tensor, "T 2"]:
    """The vector (1, 0) in channels (pair, pair + d_head/2), rotated to each position."""
    if not 0 <= pair < d_head // 2:
        raise ValueError(f"pair {pair} is none of a head of {d_head} channels; choose one from 0 to {d_head // 2 - 1}")
    x = torch.zeros(len(positions), d_head, dtype=positions.dtype)
    x[:, pair] = 1.0
    turned = rope.apply_rope(x, rope.rope_angles(positions, d_head, base))
    return turned[:, [pair, pair + d_head // 2]]


def rope_clock_plot(
    m: int = 12, n: int = 5, pair: int = 3, base: float = 10000.0, shift: int = 0, d_head: int = 32
) -> Hands:
    """q at m + shift and k at n + shift as hands; beside them q·k for every distance m − n, with this one marked."""
    q, k = pair_at(torch.tensor([m, n]).double() + shift, pair, base, d_head)
    hands = Hands(q, k, float(q @ k))
    with plt.rc_context(figure.STYLE):
        _draw(hands, m, n, pair, base, shift, d_head)
    return hands


def _draw(hands: Hands, m: int, n: int, pair: int, base: float, shift: int, d_head: int) -> None:
    where = f"positions {m + shift} and {n + shift}"
    alt = f"A clock with q and k at {where}, pair {pair}, and the score {hands.score:.2f} by distance {m - n}."
    clock, scores = figure.canvas(alt, 7.6, 3.2, boxes=((0.3, 0.35, 2.4, 2.4), (3.4, 0.55, 3.6, 2.2)))
    clock.add_patch(plt.Circle((0, 0), 1, fill=False, color="#bbbbbb"))
    for hour in np.linspace(0, 2 * math.pi, 12, endpoint=False):
        clock.plot(*np.outer([math.cos(hour), math.sin(hour)], [0.94, 1.0]), color="#bbbbbb", linewidth=1)
    # The shorter hand stays visible under the longer one when both point the same way.
    for name, hand, length, color in (("q", hands.q, 1.0, figure.BLUE), ("k", hands.k, 0.75, figure.RED)):
        x, y = (length * hand).tolist()
        arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 2.4, "shrinkA": 0, "shrinkB": 0}
        clock.annotate("", (x, y), (0, 0), arrowprops=arrow)
        clock.text(1.15 * x, 1.15 * y, name, color=color, fontsize=12, weight="bold", ha="center", va="center")
    clock.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal", title=f"q at {m + shift}, k at {n + shift}")
    clock.axis("off")

    distances = torch.arange(-FURTHEST, FURTHEST + 1).double()
    turned = pair_at(distances, pair, base, d_head)
    curve = turned @ pair_at(torch.zeros(1).double(), pair, base, d_head)[0]
    scores.axhline(0, color="#cccccc", linewidth=0.8)
    scores.plot(distances.numpy(), curve.numpy(), color=figure.GREEN, linewidth=1.6)
    scores.plot([m - n], [hands.score], "o", color=figure.BLACK, markersize=7)
    scores.axvline(m - n, color=figure.BLACK, linewidth=0.8, linestyle=":")
    scores.set(xlim=(-FURTHEST, FURTHEST), ylim=(-1.15, 1.15), xlabel="distance m − n", ylabel=f"score of pair {pair}")
    scores.set_title(f"Distance {m - n}: score {hands.score:+.2f}, wherever the two stand")


def wavelengths(d_head: int = 32, base: float = 10000.0, trained_length: int = 256) -> Axes:
    """2π / θ of each pair, the tokens of one full turn, on a log axis; a line marks the trained length."""
    theta = rope.rope_angles(torch.ones(1).double(), d_head, base)[0]
    turns = 2 * math.pi / theta
    whole = int((turns <= trained_length).sum())
    title = f"{whole} of {len(turns)} pairs make a full turn in {trained_length} tokens, the rest never do"
    ax = plots.curves(
        np.arange(len(turns)),
        {"one full turn": turns, "trained length": torch.full_like(turns, trained_length)},
        title,
        x="pair of channels",
        y="wavelength in tokens",
        log_y=True,
    )
    return ax


def rope_clock() -> explorer.Explorer:
    """The clock with its controls: m, n, pair, base, and a shift that moves both."""
    base = FloatLogSlider(value=10000.0, base=10, min=1, max=6, step=0.25, description="base")
    return explorer.explore(rope_clock_plot, m=(0, FURTHEST), n=(0, FURTHEST), pair=(0, 15), base=base, shift=(0, 200))
