"""The gauges of an RLHF run while it trains, a sample of its answers, and a button that stops it.

What to watch, in each picture: reward up, KL up slowly, answers that end, few clipped tokens; Qwen Technical Report
(arXiv:2309.16609), section 3.2.2. The buttons work because the run has a thread of its own.
"""

import html
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle
from ipywidgets import HTML, Button, HBox, Image, Layout, VBox

from minqwen.show import figure

PANELS = (
    ("reward", "mean score", figure.BLUE),
    ("kl", "KL, nats an answer", figure.RED),
    ("ended", "share that ends", figure.GREEN),
    ("clip_share", "share clipped", figure.PINK),
)
EVERY = 2.0  # seconds between two pictures
Run = Iterator[Any]  # of align.rlhf.Iteration


@plt.rc_context(figure.STYLE)
def gauges_plot(seen: Sequence[Any], title: str = "Reward rises, and KL is its price") -> figure.Picture:
    """Four small pictures of the gauges by iteration."""
    picture = figure.Picture(figsize=(7.2, 3.6), dpi=160, layout="constrained")
    last = seen[-1]
    picture.alt = f"{title}. After {len(seen)} iterations: " + ", ".join(
        f"{label} {getattr(last, name):.3g}" for name, label, _ in PANELS
    )
    for ax, (name, label, colour) in zip(picture.subplots(2, 2, sharex=True).flat, PANELS):
        ax.plot([g.step for g in seen], [getattr(g, name) for g in seen], color=colour, marker="o", markersize=3)
        ax.set_title(label, fontweight="normal")
        ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    for ax in picture.axes[2:]:
        ax.set_xlabel("iteration")
        ax.xaxis.get_major_locator().set_params(integer=True)
    picture.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return picture


def gauges(run: Run, title: str = "Reward rises, and KL is its price", every: float = EVERY) -> Run:
    """The same iterations, one by one; meanwhile they are drawn, and at the end once more."""
    handle, seen, drawn, shown = DisplayHandle(), [], time.monotonic(), False
    try:
        for each in run:
            seen.append(each.gauges)
            yield each
            if time.monotonic() - drawn > every:
                _draw(handle, seen, title, shown)
                drawn, shown = time.monotonic(), True
    finally:  # also of a run that ran away: what went wrong is in the picture
        if seen:
            _draw(handle, seen, title, shown)


def _draw(handle: DisplayHandle, seen: Sequence[Any], title: str, again: bool) -> None:
    (handle.update if again else handle.display)(figure.to_image(gauges_plot(seen, title)))


class Aligner(VBox):
    """Start and Stop around a run; `seen` holds its gauges. A stop takes effect after the iteration under way."""

    def __init__(self, begin: Callable[[], Run], sample: Callable[[Any], str]):
        self._begin, self._sample, self.seen = begin, sample, []
        self._stopping, self.thread = threading.Event(), None
        self.start = Button(description="Start", tooltip="Train the policy", button_style="success")
        self.stop = Button(description="Stop", tooltip="Stop after this iteration; the policy is usable", disabled=True)
        self.status, self.said = HTML("<p role='status'>Not started.</p>"), HTML()
        self.picture = Image(format="png", layout=Layout(display="none"))
        self.start.on_click(lambda _: self.run())
        self.stop.on_click(lambda _: self._stopping.set())
        parts = [HBox([self.start, self.stop]), self.status, self.picture, self.said]
        super().__init__(parts, layout=Layout(max_width="52em"))

    def run(self) -> None:
        """Begin anew, in a thread."""
        self.seen, self.start.disabled, self.stop.disabled = [], True, False
        self._stopping.clear()
        self.thread = threading.Thread(target=self._go, daemon=True)
        self.thread.start()

    def _go(self) -> None:
        end, usable = "Finished", "The policy can be used."
        try:
            for each in self._begin():
                self._show(each)
                if self._stopping.is_set():
                    end = "Stopped"
                    break
        except ValueError as error:  # a run that ran away says so, and leaves its last sound policy
            end = f"✗ {html.escape(str(error))}"
        except Exception as error:  # the thread's own traceback is seen by nobody
            end, usable = (
                f"✗ {html.escape(f'{type(error).__name__}: {error}')}",
                "Make a new run before the next start.",
            )
        self.status.value = f"<p role='status'>{end} after {len(self.seen)} iterations. {usable}</p>"
        self.start.disabled, self.stop.disabled = False, True

    def _show(self, each: Any) -> None:
        self.seen.append(each.gauges)
        g, png = each.gauges, BytesIO()
        gauges_plot(self.seen).savefig(png, format="png", dpi=100)
        self.picture.value, self.picture.layout.display = png.getvalue(), ""
        self.status.value = (
            f"<p role='status'>Iteration {g.step}: reward {g.reward:+.2f}, KL {g.kl:.1f} nats, {g.seconds:.0f} s</p>"
        )
        self.said.value = f"<p>{html.escape(self._sample(each))}</p>".replace("\n", "<br>")


def aligner(begin: Callable[[], Run], sample: Callable[[Any], str]) -> Aligner:
    """A run with buttons: `begin` makes its iterator anew, `sample` says what to show of an iteration."""
    return Aligner(begin, sample)
