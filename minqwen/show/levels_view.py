"""The sixteen levels of NF4 over a histogram of the weights they stand for.

Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314), section 3.
"""

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from torch import Tensor

from minqwen.adapt import nf4
from minqwen.show import figure


def levels_plot(weights: Float[Tensor, "*shape"], block: int = 64) -> list[float]:
    """Weights over the largest of their block, and the levels; returns the share of weights at each level."""
    whole = weights.flatten()[: weights.numel() // block * block].reshape(-1, block)
    ratios = (whole / whole.abs().amax(dim=1, keepdim=True)).flatten().numpy()
    levels = nf4.nf4_levels().numpy()
    edges = np.concatenate([[-1.001], (levels[1:] + levels[:-1]) / 2, [1.001]])
    shares = np.histogram(ratios, edges)[0] / len(ratios)
    with plt.rc_context(figure.STYLE):
        alt = (
            f"Histogram of {len(ratios):,} weights, each over the largest of its block of {block}, with the sixteen "
            f"levels as lines; the levels hold between {shares.min():.1%} and {shares.max():.1%} of the weights."
        )
        [ax] = figure.canvas(alt, 7.0, 3.2)
        ax.hist(ratios, bins=120, range=(-1, 1), color="#bbbbbb", density=True)
        height = ax.get_ylim()[1]
        ax.vlines(levels, 0, height, color=figure.BLUE, linewidth=1)
        for code, level in enumerate(levels):
            y = height * (1.02 if code % 2 else 1.08)
            ax.text(level, y, code, ha="center", va="bottom", fontsize=7, color=figure.BLUE)
        ax.set(xlim=(-1.03, 1.03), ylim=(0, height * 1.2), xlabel="weight / largest of its block", ylabel="density")
        ax.set_title("The levels stand close where the weights are many")
    return shares.tolist()
