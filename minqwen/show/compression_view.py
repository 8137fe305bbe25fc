"""Tokens by language, ours beside those of the report.

Bai et al. 2023, "Qwen Technical Report" (arXiv:2309.16609), Figure 3.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minqwen.show import figure, plots


def compression_plot(ours: Mapping[str, float], report: Mapping[str, float]) -> tuple[Axes, Axes]:
    """Two rows of bars in the order of ours, by language code: tokens here, and tokens as the report has them."""
    codes = sorted(ours, key=lambda code: ours[code])
    ends = f"from {codes[0]}, the cheapest here, to {codes[-1]}, the dearest"
    height = 0.19 * len(codes) + 0.4
    with plt.rc_context(figure.STYLE):
        left, right = figure.canvas(
            f"Two rows of bars by language, {ends}: tokens of one paragraph here, and Figure 3 of the report.",
            width=7.6,
            height=height + 0.95,
            boxes=((0.45, 0.55, 3.0, height), (4.25, 0.55, 3.0, height)),
        )
    labels = "tokens of a paragraph, English = 1", "tokens of a million documents, XLM-R = 1"
    for ax, where, values, label in ((left, "Here", ours, labels[0]), (right, "Report", report, labels[1])):
        low, high = (chosen(codes, key=lambda code: values[code]) for chosen in (min, max))
        plots.bars([values[code] for code in codes], codes, f"{where}: {low} least, {high} most", label, ax=ax)
    return left, right
