"""The buttons around a review: keep, drop, undo. All that they do stands in `review`, and is saved at once."""

import html
from collections.abc import Sequence
from pathlib import Path

from ipywidgets import HTML, Button, HBox, Layout

from minqwen.show import review, stored

SHOWN, STORED = 3000, 400  # characters of a page, with its buttons and in a notebook that is only read


class Reviewer(stored.ReadableBox):
    """A page of text over three buttons, which Tab reaches and Enter or the space bar presses."""

    def __init__(self, pages: Sequence[tuple[str, str]], path: Path):
        self.path = path
        self.state = review.resume(pages, path)
        self.progress = HTML()
        # One height for all pages, so that the buttons stay under the pointer.
        self.page = HTML(layout=Layout(height="24em", overflow="auto"))
        self.keep = Button(description="Keep", tooltip="This page stays", button_style="success")
        self.drop = Button(description="Drop", tooltip="This page goes", button_style="danger")
        self.undo = Button(description="Undo", tooltip="Take the last verdict back")
        self.keep.on_click(lambda _: self._go(self.state.decide("keep")))
        self.drop.on_click(lambda _: self._go(self.state.decide("drop")))
        self.undo.on_click(lambda _: self._go(self.state.undo()))
        buttons = HBox([self.keep, self.drop, self.undo])
        super().__init__([self.progress, self.page, buttons], layout=Layout(max_width="48em"))
        self._show()

    def _go(self, state: review.Review) -> None:
        review.save(state, self.path)  # first: what the reader sees is what the file holds
        self.state = state
        self._show()

    def _show(self) -> None:
        done, total = len(self.state.verdicts), len(self.state.pages)
        kept = self.state.verdicts.count("keep")
        self.progress.value = f"<p role='status'>{done} of {total} reviewed, {kept} kept</p>"
        self.keep.disabled = self.drop.disabled = self.state.current is None
        self.undo.disabled = not done
        if self.state.current is None:
            self.page.value = "<p>All pages have a verdict.</p>"
            return
        self.page.value = _as_html(*self.state.current, SHOWN)

    def as_html(self) -> str:
        """The same page, cut shorter, and the names of the buttons."""
        page = _as_html(*self.state.current, STORED) if self.state.current else self.page.value
        buttons = "<p><i>Below it stand the buttons Keep, Drop and Undo while the notebook runs.</i></p>"
        return self.progress.value + page + buttons


def _as_html(name: str, text: str, shown: int) -> str:
    """A page's name and the first of its characters."""
    rest = " …" if len(text) > shown else ""
    lines = html.escape(text[:shown] + rest).replace("\n", "<br>")
    return f"<p><b>{html.escape(name)}</b></p><div>{lines}</div>"


def reviewer(pages: Sequence[tuple[str, str]], path: str | Path) -> Reviewer:
    """Review these pages, each a name and a text, by hand; the file keeps the verdicts, and a later call goes on."""
    return Reviewer(pages, Path(path))
