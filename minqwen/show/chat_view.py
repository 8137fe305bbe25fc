"""The mask painter of conversations: their tokens, and which of them are learned, in either mode.

What the loss sees of ChatML: Qwen Technical Report (Bai et al. 2023, arXiv:2309.16609), section 3.1.2.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
from ipywidgets import Layout, Text
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from minqwen.align import chatml
from minqwen.show import attention_view, explorer, figure, token_view
from minqwen.tokenizer import Tokenizer

LEARNED, CONTROL, PLAIN = "#9ecbe8", "#222222", "#f2f2f2"
ROW = 0.46  # inches


class PaintedToken(NamedTuple):
    """One token as it is drawn."""

    id: int
    label: str
    is_learned: bool
    is_control: bool

    @property
    def width(self) -> float:
        """Units that the label takes; Chinese characters take two."""
        return sum(2.0 if ord(c) > 0x2E80 else 1.1 for c in figure.drawable(self.label)) + 1.2


def painted(messages: list[chatml.Message], tokenizer: Tokenizer, mode: str) -> list[PaintedToken]:
    """The ids of `encode_chat` with the mask of `loss_mask`."""
    ids = chatml.encode_chat(messages, tokenizer)
    if len(ids) > token_view.MOST_TOKENS:
        raise ValueError(
            f"this conversation has {len(ids)} tokens, and {token_view.MOST_TOKENS} can be shown; type a shorter one"
        )
    labels, control = attention_view.token_labels(tokenizer, ids), set(tokenizer.control_ids.values())
    mask = chatml.loss_mask(messages, tokenizer, mode)
    return [PaintedToken(i, label, kept, i in control) for i, label, kept in zip(ids, labels, mask)]


def chat_lines(tokens: list[PaintedToken], width: float = token_view.LINE) -> list[list[int]]:
    """Places line by line: a message begins a line, and goes on in the next if it is long."""
    starts = [place for place, token in enumerate(tokens) if token.is_control and token.label == chatml.START]
    rows = []
    for start, stop in zip(starts, [*starts[1:], len(tokens)]):
        rows += [[start + i for i in row] for row in token_view.lines([t.width for t in tokens[start:stop]], width)]
    return rows


@plt.rc_context(figure.STYLE)
def chat_mask_plot(
    tokenizer: Tokenizer, messages: list[chatml.Message], mode: str = "assistant_only"
) -> list[PaintedToken]:
    """Draw a conversation that ends with the assistant: learned tokens are blue, framed and underlined."""
    tokens = painted(messages, tokenizer, mode)
    rows = chat_lines(tokens)
    learned = [token.label for token in tokens if token.is_learned]
    alt = f"{len(tokens)} tokens of a conversation, {len(learned)} of them learned in mode {mode}: {' '.join(learned)}"
    [ax] = figure.canvas(alt, width=7.6, height=ROW * len(rows) + 0.5)
    for row, places in enumerate(rows):
        left = 0.0
        for place in places:
            _box(ax, tokens[place], left, row)
            left += tokens[place].width
    ax.set(xlim=(0, token_view.LINE), ylim=(len(rows), -0.15))
    ax.axis("off")
    ax.set_title(f"{mode}: {len(learned)} of {len(tokens)} tokens are learned (blue, underlined)")
    return tokens


def _box(ax: Axes, token: PaintedToken, left: float, row: int) -> None:
    """Control tokens are black where they are not learned, and bold in either case."""
    learned, control = token.is_learned, token.is_control
    fill = LEARNED if learned else CONTROL if control else PLAIN
    shape = FancyBboxPatch(
        (left + 0.12, row),
        token.width - 0.24,
        0.78,
        boxstyle="round,pad=0",
        facecolor=fill,
        edgecolor=figure.BLUE if learned else "#bbbbbb",
        linewidth=1.4 if learned else 0.6,
    )
    ax.add_patch(shape)
    ax.text(
        left + token.width / 2,
        row + 0.36,
        figure.drawable(token.label),
        ha="center",
        va="center",
        fontsize=8,
        fontweight="bold" if control else "normal",
        color="white" if fill == CONTROL else "#111111",
    )
    if learned:
        ax.plot([left + 0.6, left + token.width - 0.6], [row + 0.67] * 2, color=figure.BLUE, linewidth=1.8)


def chat_mask_painter(tokenizer: Tokenizer, question: str, answer: str) -> explorer.Explorer:
    """Type what the user says and what the answer is, choose the mode, and see what is learned."""

    def plot(mode: str = "assistant_only", user: str = question, assistant: str = answer) -> list[PaintedToken]:
        messages = [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
        return chat_mask_plot(tokenizer, messages, mode)

    wide = Layout(width="42em")
    return explorer.explore(
        plot,
        mode=list(chatml.MODES),
        user=Text(question, description="user", layout=wide),
        assistant=Text(answer, description="assistant", layout=wide),
    )
