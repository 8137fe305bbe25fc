"""How every figure of the course looks, and how it speaks: palettes, fonts that know Chinese, alternative text.

Colours that people with and without colour blindness tell apart: Okabe and Ito 2008, "Color Universal Design", and
cividis, Nuñez et al. 2018 (arXiv:1712.01662).
"""

import dataclasses
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from IPython.display import Image
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import minqwen.assets

FONT = Path(minqwen.assets.__file__).parent / "fonts" / "NotoSansCJKsc-GB2312.otf"
FONTS = ("DejaVu Sans", "Noto Sans CJK SC")  # matplotlib takes each letter from the first that has it
BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK = (matplotlib.color_sequences["okabe_ito"][i] for i in (5, 6, 3, 7, 1, 2, 0))
SEQUENTIAL, DIVERGING = "cividis", "PuOr"
STYLE = {
    "font.family": list(FONTS),
    "font.size": 9,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#777777",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK]),
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a token may hold a dollar sign
}

font_manager.fontManager.addfont(FONT)  # known by name from here on, whatever the machine has installed
# It has one weight, and stands for bold as well: without this, the first bold title of a notebook brings a warning.
font_manager.fontManager.ttflist.append(dataclasses.replace(font_manager.fontManager.ttflist[-1], weight=700))


class Picture(Figure):
    """A figure that brings its alternative text into the notebook, and shows at half of its many pixels."""

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Only metadata: IPython's own formatter draws the PNG, and `plt.show()` puts it out once."""
        self.draw_without_rendering()  # settles the layout, and with it the size that is saved
        inches = self.get_tightbbox().width + 2 * matplotlib.rcParams["savefig.pad_inches"]
        return {}, {"image/png": {"alt": self.alt, "width": round(100 * inches)}}


def canvas(
    alt: str,
    width: float = 6.0,
    height: float = 3.0,
    boxes: Sequence[tuple[float, float, float, float]] = (),
) -> list[Axes]:
    """The axes of a new figure; `alt` says what a reader would see.

    One that makes room for its labels, or one a box (left, bottom, width, height) in inches: those stand still, and
    are drawn quickly, while a reader moves a control.
    """
    layout = None if boxes else "constrained"
    figure = plt.figure(FigureClass=Picture, figsize=(width, height), dpi=160, layout=layout)
    figure.alt = alt
    if not boxes:
        return [figure.subplots()]
    scale = np.array([width, height, width, height])
    return [figure.add_axes(tuple(box / scale)) for box in np.array(boxes)]


def to_image(figure: Figure) -> Image:
    """The figure as a notebook's image, with its alternative text."""
    png = BytesIO()
    figure.savefig(png, format="png", dpi=160)
    return Image(png.getvalue(), width=round(100 * figure.get_figwidth()), alt=getattr(figure, "alt", ""))


def numbers(values: Tensor | np.ndarray | Sequence) -> np.ndarray:
    """Any tensor, array or list as float64 on the host."""
    return torch.as_tensor(values).detach().double().numpy()


def drawable(label: str) -> str:
    """The label, with each character that no font here can draw as its code point, such as U+4F53."""
    fonts = [font_manager.get_font(font_manager.findfont(font)) for font in FONTS]
    has_glyph = {c: any(font.get_char_index(ord(c)) for font in fonts) for c in label}
    return "".join(c if has_glyph[c] else f"U+{ord(c):04X}" for c in label)
