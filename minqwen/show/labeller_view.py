"""The buttons around a labelling: scores under each answer, save, undo. What they do is in the file at once."""

import html
from collections.abc import Sequence
from pathlib import Path

from ipywidgets import HTML, Button, Dropdown, HBox, Layout, ToggleButtons, VBox

from minqwen.show import labelling as state
from minqwen.show import stored

MODES = {"score": "Scores: 5 is best", "rank": "Ranks: 1 is best"}
NONE = "–"


class Labeller(stored.ReadableBox):
    """Up to four answers over their scores, which Tab reaches and the arrow keys choose."""

    def __init__(self, items: Sequence[tuple[str, Sequence[str]]], path: Path):
        self.path, self.state = path, state.resume(items, path)
        self.progress, self.question = HTML(), HTML()
        self.mode = Dropdown(options=[(text, mode) for mode, text in MODES.items()], description="How")
        self.answers = [HTML() for _ in range(state.MOST)]
        self.scores = [
            ToggleButtons(options=[NONE], description=f"Answer {at + 1}", style={"button_width": "3em"})
            for at in range(state.MOST)
        ]
        self.save = Button(description="Save", tooltip="Keep these scores and go on", button_style="success")
        self.undo = Button(description="Undo", tooltip="Take the last scores back")
        self.save.on_click(lambda _: self._go(self._judged()))
        self.undo.on_click(lambda _: self._go(self.state.undo()))
        self.mode.observe(lambda _: self._show(), names="value")
        rows = [VBox(pair) for pair in zip(self.answers, self.scores)]
        parts = [self.progress, self.mode, self.question, *rows, HBox([self.save, self.undo])]
        super().__init__(parts, layout=Layout(max_width="48em"))
        self._show()

    def _judged(self) -> state.Labelling:
        n = len(self.state.current[1])
        values = tuple(None if each.value == NONE else int(each.value) for each in self.scores[:n])
        return self.state.rank(values) if self.mode.value == "rank" else self.state.score(values)

    def _go(self, after: state.Labelling) -> None:
        state.save(self.state, after, self.path)  # first: what the reader sees is what the file holds
        self.state = after
        self._show()

    def _show(self) -> None:
        done, total, pairs = len(self.state.given), len(self.state.items), self.state.pairs
        self.progress.value = f"<p role='status'>{done} of {total} questions judged, {pairs} pairs</p>"
        self.save.disabled = self.state.current is None
        self.undo.disabled = not done
        question, answers = self.state.current or ("All questions are judged.", ())
        self.question.value = f"<p><b>{html.escape(question)}</b></p>"
        values = range(1, len(answers) + 1) if self.mode.value == "rank" else state.SCORES
        for at, (text, buttons) in enumerate(zip(self.answers, self.scores)):
            text.layout.display = buttons.layout.display = None if at < len(answers) else "none"
            text.value = html.escape(answers[at]).replace("\n", "<br>") if at < len(answers) else ""
            buttons.options = [NONE, *map(str, values)]
            buttons.value = NONE

    def as_html(self) -> str:
        """The question, its answers, and the names of the buttons."""
        answers = [text.value for text in self.answers if text.value]
        listed = "".join(f"<li>{answer}</li>" for answer in answers)
        buttons = "<p><i>Each answer has its scores, and Save and Undo stand below, while the notebook runs.</i></p>"
        return f"{self.progress.value}{self.question.value}<ol>{listed}</ol>{buttons}"


def labeller(items: Sequence[tuple[str, Sequence[str]]], path: str | Path) -> Labeller:
    """Score or rank these answers, each item a question and two to four of them; a later call goes on."""
    return Labeller(items, Path(path))
