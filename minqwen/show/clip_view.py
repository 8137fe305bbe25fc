"""The clip of PPO: what one token adds to the objective as its ratio moves, and where it stops to pull.

Schulman et al. 2017 (arXiv:1707.06347), figure 1.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from minqwen.align import ppo
from minqwen.show import explorer, figure

WIDEST = 2.0  # of the ratios that are drawn


class Pull(NamedTuple):
    """One token: what it adds to the objective, the slope there by its ratio, and whether the clip holds it."""

    objective: float
    slope: float
    held: bool


def clip_plot(advantage: float = 1.0, clip: float = 0.2, ratio: float = 1.0) -> Pull:
    """min(ρA, clip(ρ, 1 − ε, 1 + ε) A) over ρ, with the token at `ratio` as a dot; returned is what it does there."""
    found = pull(advantage, clip, ratio)
    moves = f"it pulls: slope {found.slope:+.2f}" if found.slope else "nothing pulls: slope 0"
    words = "the clip holds it: slope 0" if found.held else moves
    with plt.rc_context(figure.STYLE):
        flat = f"above {1 + clip:g}" if advantage > 0 else f"below {1 - clip:g}" if advantage < 0 else "everywhere"
        alt = (
            f"The objective of a token with advantage {advantage:g} over its ratio, flat {flat}; at {ratio:g} it is "
            f"{found.objective:.2f}, {words}."
        )
        [ax] = figure.canvas(alt, 6.0, 3.2, boxes=((0.65, 0.5, 5.1, 2.3),))
        draw_clip(ax, advantage, clip)
        ax.plot(ratio, found.objective, "o", color=figure.RED, markersize=8, zorder=4)
        _say(ax, words, ratio, found.objective, left=ratio > 1.3, above=advantage < 0 and ratio <= 1.3)
        ax.set(xlim=(0, WIDEST), ylim=(-4.2, 3.4))
        kind = "good" if advantage > 0 else "bad" if advantage < 0 else "neutral"
        ax.set_title(f"A {kind} token at ρ = {ratio:g}: {words.split(':')[0]}")
    return found


def four_cases() -> list[Pull]:
    """A above and below 0, ρ above and below the band: two tokens are held, two are pushed back."""
    cases = [(1.0, 0.5), (1.0, 1.5), (-1.0, 0.5), (-1.0, 1.5)]
    pulls = [pull(advantage, 0.2, ratio) for advantage, ratio in cases]
    with plt.rc_context(figure.STYLE):
        alt = "Two curves over the ratio: with A = 1 flat above 1.2, with A = −1 flat below 0.8; two dots on each."
        boxes = ((0.65, 0.5, 3.1, 2.1), (4.55, 0.5, 3.1, 2.1))
        panels = figure.canvas(alt, 7.9, 3.1, boxes=boxes)
        for (advantage, ratio), found in zip(cases, pulls):
            ax = panels[advantage < 0]
            ax.plot(ratio, found.objective, "s" if found.held else "o", color=figure.RED, markersize=7, zorder=4)
            words = "held" if found.held else "pulled up" if advantage > 0 else "pulled down"
            _say(ax, words, ratio, found.objective, left=False, above=advantage < 0 and not found.held)
        for ax, advantage in zip(panels, (1.0, -1.0)):
            draw_clip(ax, advantage, 0.2)
            ax.set(xlim=(0, WIDEST), ylim=(0, 2.1) if advantage > 0 else (-2.1, 0.4))
            side = "above" if advantage > 0 else "below"
            ax.set_title(f"A = {advantage:g}: held {side} the band")
    return pulls


def clip_explorer() -> explorer.Explorer:
    """The curve with its controls: advantage, ε, and where the ratio of the token stands."""
    return explorer.explore(clip_plot, advantage=(-2.0, 2.0, 0.25), clip=(0.05, 0.5, 0.05), ratio=(0.1, 1.9, 0.05))


def pull(advantage: float, clip: float, ratio: float) -> Pull:
    """The library's loss of a single token, and its derivative by ρ."""
    yes = torch.ones(1, 1, dtype=torch.bool)
    logp = torch.tensor([[ratio]], dtype=torch.float64).log().requires_grad_()
    given = torch.tensor([[advantage]], dtype=torch.float64)
    loss, held, _ = ppo.ppo_clip_loss(logp, torch.zeros_like(logp), given, yes, clip)
    [gradient] = torch.autograd.grad(loss, logp)
    return Pull(-loss.item(), -gradient.item() / ratio + 0.0, bool(held))


def _say(ax: Axes, words: str, x: float, y: float, left: bool, above: bool) -> None:
    """Words beside a dot, on the side where no line passes."""
    offset, side = (-8 if left else 8, 8 if above else -16), "right" if left else "left"
    ax.annotate(words, (x, y), offset, textcoords="offset points", ha=side, color=figure.RED)


def draw_clip(ax: Axes, advantage: float, clip: float) -> None:
    """The line without a clip, the objective with it, and the band in which it does nothing."""
    ratio = np.linspace(0, WIDEST, 201)
    free = ratio * advantage
    ax.axvspan(1 - clip, 1 + clip, color="#eeeeee", zorder=0)
    ax.plot(ratio, free, "--", color="#777777", linewidth=1.2)
    ax.plot(ratio, np.minimum(free, ratio.clip(1 - clip, 1 + clip) * advantage), color=figure.BLUE, linewidth=2.2)
    ax.axvline(1.0, color=figure.BLACK, linewidth=0.9, linestyle=":")
    ax.set(xlabel="ratio ρ = π / π_old", ylabel="adds to the objective")
