"""A text box around a model that answers: the transcript is an ordinary output, so a stored notebook keeps it."""

import html
from collections.abc import Callable, Sequence

from IPython.display import Markdown
from ipywidgets import HTML, Button, HBox, Layout, Text, VBox

MOST = 400  # characters of one question


def transcript(turns: Sequence[tuple[str, str]]) -> Markdown:
    """Questions and answers as text for a stored notebook."""
    told = [f"**You**: {_shown(question)}\n\n**Model**: {_shown(answer)}" for question, answer in turns]
    return Markdown("\n\n".join(told))


def _shown(text: str) -> str:
    """Text of people and models is text: nothing in it is read as HTML or Markdown."""
    safe = "".join(f"\\{c}" if c in "\\`*_#[]|$~" else c for c in html.escape(text, quote=False))
    return safe.replace("\n", "<br>")


class ChatBox(VBox):
    """A line to type in, a button, and what was said; `turns` holds it. Tab reaches the button, Enter presses it."""

    def __init__(self, answer: Callable[[str], str]):
        self._answer, self.turns = answer, []
        self.question = Text(description="question", layout=Layout(width="36em"))
        self.send = Button(description="Send", tooltip="Ask the model")
        self.said = HTML("<p role='status'>Nothing was said yet.</p>")
        self.send.on_click(lambda _: self.ask())
        super().__init__([self.said, HBox([self.question, self.send])], layout=Layout(max_width="48em"))

    def ask(self) -> None:
        """Send what stands in the line, if anything does."""
        question = self.question.value.strip()
        if not question:
            return
        if len(question) > MOST:
            self.said.value = f"<p role='alert'>✗ {len(question)} characters; a question has {MOST} at most</p>"
            return
        try:
            self.turns.append((question, self._answer(question)))
        except ValueError as error:  # such as a question longer than the context
            self.said.value = f"<p role='alert'>✗ {html.escape(str(error))}</p>"
            return
        self.question.value = ""
        lines = [f"<p><b>You</b>: {_html(q)}</p><p><b>Model</b>: {_html(a)}</p>" for q, a in self.turns]
        self.said.value = f"<div role='log'>{''.join(lines)}</div>"


def _html(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def chat_box(answer: Callable[[str], str]) -> ChatBox:
    """A chat with `answer`, which gets one question and returns one answer: the tiny models have no memory."""
    return ChatBox(answer)
