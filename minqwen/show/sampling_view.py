"""Sampling bars: what temperature, top-k and top-p leave of the model's own probabilities.

Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (arXiv:1904.09751), section 3.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import FloatLogSlider, IntSlider
from jaxtyping import Float
from torch import Tensor

from minqwen.model import sampling
from minqwen.show import explorer, figure
from minqwen.tokenizer import Tokenizer

SHOWN = 14


def sampling_plot(
    logits: Float[Tensor, " V"],
    tokenizer: Tokenizer,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Float[Tensor, " V"]:
    """The likeliest tokens: the model's own share in grey, the share with which each would be drawn in blue.

    Returns the latter for all tokens. `top_k` of 0 keeps every token.
    """
    cooled = logits[None] / temperature
    kept = sampling.keep_top_p(sampling.keep_top_k(cooled, top_k) if top_k else cooled, top_p)
    drawn, own = kept.softmax(dim=-1)[0], logits.softmax(dim=-1)
    order = own.argsort(descending=True, stable=True)[:SHOWN]
    left, names = int((drawn > 0).sum()), [repr(tokenizer.token_text(i)) for i in order.tolist()]
    with plt.rc_context(figure.STYLE):
        alt = (
            f"Bars of the {SHOWN} likeliest tokens at temperature {temperature:g}, top-k {top_k or 'off'}, top-p "
            f"{top_p:g}: {left:,} tokens may be drawn; {names[0]} has {own[order[0]]:.0%} of its own and is drawn with "
            f"{drawn[order[0]]:.0%}."
        )
        [ax] = figure.canvas(alt, 6.4, 3.6, boxes=((1.25, 0.5, 4.6, 2.7),))
        places = np.arange(SHOWN)
        ax.barh(places - 0.2, own[order].numpy(), 0.4, color="#bbbbbb")
        ax.barh(places + 0.2, drawn[order].numpy(), 0.4, color=figure.BLUE)
        for place, share in zip(places, drawn[order].tolist()):
            ax.text(share, place + 0.2, f" {share:.0%}" if share else " × never", va="center", fontsize=7)
        ax.text(0.97, 0.06, "grey: the model's own\nblue: with these settings", ha="right", transform=ax.transAxes)
        ax.set_yticks(places, [figure.drawable(name) for name in names])
        ax.set(
            xlim=(0, 1.15 * float(max(own.max(), drawn.max()))),
            ylim=(SHOWN - 0.4, -0.7),
            xlabel="probability of the next token",
        )
        ax.set_title(f"{left:,} of {len(logits):,} tokens may be drawn")
    return drawn


def sampling_bars(logits: Float[Tensor, " V"], tokenizer: Tokenizer) -> explorer.Explorer:
    """The bars with their controls: temperature, top-k (0: off) and top-p."""

    def plot(temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
        return sampling_plot(logits, tokenizer, temperature, top_k, top_p)

    heat = FloatLogSlider(value=1.0, base=10, min=-1, max=0.7, step=0.05, description="temperature")
    few = IntSlider(value=0, min=0, max=50, description="top-k (0: off)")
    controls: dict[str, Callable | object] = {"temperature": heat, "top_k": few, "top_p": (0.05, 1.0, 0.05)}
    return explorer.explore(plot, **controls)
