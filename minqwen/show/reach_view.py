"""Two readers of a sequence side by side: how far a gradient reaches back, and what a step of training costs.

Hochreiter et al. 2001, "Gradient Flow in Recurrent Nets", for the left side; Vaswani et al. 2017 (arXiv:1706.03762),
table 1, for the right.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minqwen.show import figure, plots

FLOOR = 1e-12  # what is below is drawn here, so that a gradient of 0 stays on the paper


@plt.rc_context(figure.STYLE)
def reach_and_cost(
    distances: plots.Numbers,
    reach: Mapping[str, plots.Numbers],
    lengths: plots.Numbers,
    milliseconds: Mapping[str, plots.Numbers],
) -> tuple[Axes, Axes]:
    """Left, the gradient that arrives over each distance; right, the time of a step at each length; all on log axes."""
    alt = (
        f"Lines of {', '.join(reach)}: left, the gradient at token 1 by distance; right, the time of a step by length."
    )
    boxes = ((0.7, 0.5, 2.5, 2.1), (4.85, 0.5, 2.5, 2.1))
    left, right = figure.canvas(alt, 8.4, 3.0, boxes=boxes)
    seen = {name: figure.numbers(values).clip(min=FLOOR) for name, values in reach.items()}
    plots.curves(distances, seen, "The gradient dies in the LSTM", "distance", "reaches token 1", True, True, ax=left)
    title = "The LSTM is no slower on one core"
    plots.curves(lengths, milliseconds, title, "length T", "milliseconds a step", True, True, ax=right)
    return left, right
