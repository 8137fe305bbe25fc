"""The bytes of fine-tuning as bars, and a calculator around them.

Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.2; the sizes from Table 1 of the Qwen Technical Report
(arXiv:2309.16609).
"""

import matplotlib.pyplot as plt
from ipywidgets import IntSlider

from minqwen.adapt import memory
from minqwen.show import explorer, figure

QWEN = {
    "Qwen-1.8B": memory.Sizes(151_936, 2048, 24, 16, 16, 5504),
    "Qwen-7B": memory.Sizes(151_936, 4096, 32, 32, 32, 11_008),
    "Qwen-14B": memory.Sizes(152_064, 5120, 40, 40, 40, 13_696),
}
PARTS = {
    "weights": (figure.BLUE, ""),
    "gradients": (figure.ORANGE, "///"),
    "adam": (figure.GREEN, "..."),
    "activations": ("#bbbbbb", "xx"),
}


def memory_plot(
    model: str = "Qwen-7B", length: int = 512, batch: int = 1, rank: int = 8, half: bool = True
) -> dict[str, memory.Bytes]:
    """A bar for each method, in four parts. With `half`, what stays takes two bytes, what learns 2 + 2 + 12."""
    precision = dict(kept=2.0, learned=2.0, states=12.0) if half else {}
    held = {m: memory.predict(QWEN[model], m, batch, length, rank, **precision) for m in memory.METHODS}
    with plt.rc_context(figure.STYLE):
        told = ", ".join(f"{method} {b.total / 1e9:.1f} GB" for method, b in held.items())
        alt = f"Predicted bytes of a training step of {model}, rank {rank}, {batch} x {length} tokens: {told}."
        [ax] = figure.canvas(alt, 7.0, 3.2, boxes=((1.45, 0.95, 5.2, 1.75),))
        for row, b in enumerate(held.values()):
            left = 0.0
            for part, (colour, hatch) in PARTS.items():
                width = getattr(b, part) / 1e9
                ax.barh(row, width, left=left, color=colour, hatch=hatch, edgecolor="white", height=0.7)
                left += width
            ax.text(left, row, f" {left:.1f} GB", va="center", fontsize=8)
        for place, (part, (colour, hatch)) in enumerate(PARTS.items()):
            x = 0.26 * place
            style = dict(facecolor=colour, hatch=hatch, edgecolor="white", transform=ax.transAxes, clip_on=False)
            ax.add_patch(plt.Rectangle((x, -0.46), 0.05, 0.1, **style))
            ax.text(x + 0.06, -0.44, "Adam's states" if part == "adam" else part, transform=ax.transAxes)
        ax.set_yticks(range(len(held)), held)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1.16 * max(b.total for b in held.values()) / 1e9), xlabel="GB")
        full, least = held["full"].total, held["QLoRA"].total
        ax.set_title(f"{model}: QLoRA needs {least / full:.0%} of what full fine-tuning needs")
    return held


def memory_calculator() -> explorer.Explorer:
    """The bars with their controls: the model, tokens a text, texts a step, rank, two bytes or four."""
    return explorer.explore(
        memory_plot,
        model=list(QWEN),
        length=IntSlider(value=512, min=128, max=8192, step=128, description="tokens a text"),
        batch=IntSlider(value=1, min=1, max=32, description="texts a step"),
        rank=IntSlider(value=8, min=1, max=128, description="rank"),
        half=[True, False],
    )
