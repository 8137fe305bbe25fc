"""The loss of a run while it trains: steps pass through, and a picture of them is drawn anew every other second.

The picture is an ordinary output of the cell, updated in place, as in IPython's documentation
(https://ipython.readthedocs.io, `display` with an id); a stored notebook keeps the last one.
"""

import time
from collections.abc import Iterable, Iterator

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle

from minqwen.model.training import Step
from minqwen.show import figure, plots

EVERY = 2.0  # seconds between two pictures


def live(
    steps: Iterable[Step], title: str = "The loss falls", every: float = EVERY, alt: str | None = None
) -> Iterator[Step]:
    """The same steps, one by one; meanwhile their loss is drawn, and at the end once more."""
    handle, seen, drawn, shown = DisplayHandle(), [], time.monotonic(), False
    for step in steps:
        seen.append(step)
        yield step
        if time.monotonic() - drawn > every:
            _draw(handle, seen, title, alt, shown)
            drawn, shown = time.monotonic(), True
    _draw(handle, seen, title, alt, shown)


def _draw(handle: DisplayHandle, steps: list[Step], title: str, alt: str | None, again: bool) -> None:
    """Faint: each step; strong: the mean of the last twentieth of the run."""
    if not steps:
        return
    at, losses = [step.step for step in steps], [step.loss for step in steps]
    wide = max(1, len(losses) // 20)
    smooth = [sum(losses[max(0, i - wide + 1) : i + 1]) / min(i + 1, wide) for i in range(len(losses))]
    ax = plots.curves(at, {"mean": smooth}, title, "step", "loss in nats a token", alt=alt)
    ax.plot(at, losses, color=figure.BLUE, alpha=0.25, linewidth=0.8, zorder=0)
    picture = ax.figure
    plt.close(picture)  # or the end of the cell would show it a second time
    (handle.update if again else handle.display)(picture)
