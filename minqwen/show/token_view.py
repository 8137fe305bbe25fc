"""Text as coloured tokens: what a tokenizer makes of it, with ids, and with bytes where they are no ASCII.

The pieces are those that a model of the Qwen report (Bai et al. 2023, arXiv:2309.16609), section 2.2, reads.
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from ipywidgets import Layout, Textarea
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from minqwen.show import attention_view, explorer, figure
from minqwen.tokenizer import Tokenizer

MOST_TOKENS = 120  # more boxes than these cannot be read
FILLS = ("#cfe6f5", "#fbe3c0", "#cdebe0", "#f6d9e6")  # light shades of the course's blue, orange, green and pink
LINE = 96.0  # units of a line; a letter of a label takes one


class Piece(NamedTuple):
    """One token as it is drawn: its id, its label, its bytes in hexadecimal ("" for ASCII)."""

    id: int
    label: str
    hexadecimal: str

    @property
    def width(self) -> float:
        """Units that the longest of its three rows takes; Chinese characters take two."""
        letters = sum(2.0 if ord(c) > 0x2E80 else 1.1 for c in figure.drawable(self.label))
        return max(letters, 0.75 * len(str(self.id)), 0.68 * len(self.hexadecimal)) + 1.2


def pieces(tokenizer: Tokenizer, text: str, allow_control: bool = False) -> list[Piece]:
    """The tokens of a text, short enough to look at."""
    ids = tokenizer.encode(text, allow_control)
    if len(ids) > MOST_TOKENS:
        raise ValueError(f"this text has {len(ids)} tokens, and {MOST_TOKENS} can be shown; type a shorter one")
    labels = attention_view.token_labels(tokenizer, ids)
    return [Piece(i, label, _hexadecimal(tokenizer.token_bytes(i))) for i, label in zip(ids, labels)]


def _hexadecimal(token: bytes) -> str:
    return "" if token.isascii() else token.hex(" ")


def lines(widths: Sequence[float], width: float = LINE) -> list[list[int]]:
    """Places of boxes of these widths, line by line: a box that does not fit begins the next line."""
    rows: list[list[int]] = [[]]
    filled = 0.0
    for place, each in enumerate(widths):
        if rows[-1] and filled + each > width:
            rows.append([])
            filled = 0.0
        rows[-1].append(place)
        filled += each
    return rows


@plt.rc_context(figure.STYLE)
def tokens_plot(tokenizer: Tokenizer, text: str, allow_control: bool = False) -> list[Piece]:
    """Draw the tokens as boxes, one after the other: label, id, bytes; control tokens are black. Returns them."""
    found = pieces(tokenizer, text, allow_control)
    rows = lines([piece.width for piece in found])
    said = " | ".join(piece.label for piece in found)
    [ax] = figure.canvas(f"{len(found)} tokens: {said}", width=7.6, height=0.55 * len(rows) + 0.45)
    for row, places in enumerate(rows):
        left = 0.0
        for place in places:
            is_control = found[place].id in tokenizer.control_ids.values()
            _box(ax, found[place], left, row, "#222222" if is_control else FILLS[place % len(FILLS)])
            left += found[place].width
    ax.set(xlim=(0, LINE), ylim=(len(rows), -0.15))
    ax.axis("off")
    size, count = len(text.encode(errors="replace")), len(found)
    ax.set_title(
        f"{count} token{'s' * (count != 1)} for {size} bytes" + (f": {size / count:.1f} each" if count else "")
    )
    return found


def _box(ax: Axes, piece: Piece, left: float, row: int, fill: str) -> None:
    middle, ink = left + piece.width / 2, "white" if fill == "#222222" else "#222222"
    shape = FancyBboxPatch(
        (left + 0.12, row), piece.width - 0.24, 0.84, boxstyle="round,pad=0", facecolor=fill, edgecolor="#777777"
    )
    ax.add_patch(shape)
    ax.text(middle, row + 0.24, figure.drawable(piece.label), ha="center", va="center", fontsize=8.5, color=ink)
    ax.text(middle, row + 0.52, str(piece.id), ha="center", va="center", fontsize=6, color=ink)
    ax.text(middle, row + 0.73, piece.hexadecimal, ha="center", va="center", fontsize=5.5, color=ink)


def token_explorer(tokenizer: Tokenizer, text: str) -> explorer.Explorer:
    """Type a text and see its tokens; the box decides whether <|im_start|> and its like are read as control tokens."""

    def plot(text: str = text, read_control_tokens: bool = False) -> list[Piece]:
        return tokens_plot(tokenizer, text, read_control_tokens)

    box = Textarea(value=text, description="text", layout=Layout(width="42em", height="5em"))
    return explorer.explore(plot, text=box, read_control_tokens=False)
