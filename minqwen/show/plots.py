"""Shapes said aloud, heat maps, curves and bars: one call a picture, and its title is its claim.

Direct labels instead of legends follow Tufte 2001, "The Visual Display of Quantitative Information", chapter 9.
"""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter
from torch import Tensor

from minqwen.show import figure

Numbers = Tensor | np.ndarray | Sequence
FEW = 64  # so many cells of a heat map still hold their numbers
STROKES = ("-", "--", "-.", ":")


def shapes(**tensors: Tensor) -> None:
    """Print name, shape and dtype of each tensor, one aligned line each."""
    name_width = max(map(len, tensors))
    shape_width = max(len(str(tuple(tensor.shape))) for tensor in tensors.values())
    for name, tensor in tensors.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        print(f"{name:{name_width}}  {tuple(tensor.shape)!s:{shape_width}}  {dtype}")


@plt.rc_context(figure.STYLE)
def heatmap(
    matrix: Numbers,
    title: str,
    x: str,
    y: str,
    columns: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    high: float | None = None,
    alt: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The matrix in colours, dark to light from 0 to `high`; with values below 0, orange to purple around a white 0.

    `high` is the largest value unless said: 1 for shares. Few cells show their numbers as well; `columns` and `rows`
    name them, say by tokens.
    """
    values = figure.numbers(matrix)
    signed = values.min() < 0
    if ax is None:
        height = 3.0 if rows is None else max(3.0, 0.17 * len(rows) + 1.3)
        [ax] = figure.canvas(alt or f"Heat map, {y} by {x}: {title}", height=height)
    high = high or max(np.abs(values).max(), 1e-12)
    image = ax.imshow(
        values,
        cmap=figure.DIVERGING if signed else figure.SEQUENTIAL,
        vmin=-high if signed else 0.0,
        vmax=high,
        aspect="equal" if max(values.shape) < 3 * min(values.shape) else "auto",
        interpolation="nearest",
    )
    _name_cells(ax, columns, rows)
    if values.size <= FEW:
        _write_numbers(ax, values, image)
    else:
        scale = ax.inset_axes((1.03, 0.0, 0.03, 1.0))
        ax.figure.colorbar(image, cax=scale).outline.set_visible(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=2)
    return dress(ax, title, x, y)


@plt.rc_context(figure.STYLE)
def curves(
    at: Numbers,
    lines: Mapping[str, Numbers],
    title: str,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    alt: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One line a name over the same `at`, each named where it ends, so that nobody looks up a legend."""
    if ax is None:
        [ax] = figure.canvas(alt or f"Lines, {y} by {x}, of {', '.join(lines)}: {title}")
    at = figure.numbers(at)
    marker = "o" if len(at) <= 12 else ""
    for i, (name, values) in enumerate(lines.items()):
        stroke = STROKES[i % len(STROKES)]
        ax.plot(at, figure.numbers(values), stroke, marker=marker, markersize=3.5, linewidth=1.8, label=name)
    if log_x:
        ax.set_xscale("log", base=2 if _powers_of_two(at) else 10)
    if log_y:
        ax.set_yscale("log")
    for axis, log in ((ax.xaxis, log_x), (ax.yaxis, log_y)):
        if log:
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_locator(NullLocator())
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    _label_ends(ax)
    return dress(ax, title, x, y)


@plt.rc_context(figure.STYLE)
def bars(
    values: Numbers,
    labels: Sequence[str],
    title: str,
    x: str,
    y: str = "",
    alt: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Bars from the left, the first on top, each with its label before it and its number behind it."""
    values = figure.numbers(values)
    if ax is None:
        height = max(3.0, 0.19 * len(values) + 1.0)
        [ax] = figure.canvas(alt or f"Bars, {x}: {title}", height=height)
    places = np.arange(len(values))
    drawn = ax.barh(places, values, color=figure.BLUE, height=0.72)
    said = [f"{value:.2f}" if abs(value) >= 0.005 else "" for value in values]
    ax.bar_label(drawn, labels=said, padding=2, fontsize=7, color="#333333")
    ax.set_yticks(places, [figure.drawable(label) for label in labels])
    ax.invert_yaxis()
    ax.margins(x=0.15, y=0.01)
    ax.tick_params(axis="y", length=0)
    return dress(ax, title, x, y)


def dress(ax: Axes, title: str, x: str, y: str) -> Axes:
    """The claim above, broken into lines, and the names of both axes."""
    alone = len(ax.figure.axes) == 1  # then nothing stands where the title may run on
    inches = 5.5 if alone else ax.get_position().width * ax.figure.get_figwidth()
    ax.set_title("\n".join(textwrap.wrap(title, round(13 * inches))))
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def _name_cells(ax: Axes, columns: Sequence[str] | None, rows: Sequence[str] | None) -> None:
    size = 8 if max(len(columns or ""), len(rows or "")) <= 20 else 7
    ax.xaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
    if columns is not None:
        names = [figure.drawable(name) for name in columns]
        ax.set_xticks(range(len(names)), names, fontsize=size, rotation=90 if max(map(len, names)) > 2 else 0)
    if rows is not None:
        ax.set_yticks(range(len(rows)), [figure.drawable(name) for name in rows], fontsize=size)


def _write_numbers(ax: Axes, values: np.ndarray, image: plt.cm.ScalarMappable) -> None:
    whole = bool((values == values.round()).all())
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        text = f"{value:.0f}" if whole else f"{value:.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")


def _powers_of_two(at: np.ndarray) -> bool:
    return bool(np.all(at > 0) and np.allclose(np.log2(at), np.log2(at).round()))


def _label_ends(ax: Axes) -> None:
    """Names at the right edge, as high as their lines end, moved apart where they would overlap."""
    ax.margins(x=0)
    ax.autoscale_view()  # the limits must stand before heights are read off them
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = [(float(to_axes.transform(line.get_xydata()[-1])[1]), line) for line in ax.get_lines()]
    places = _spread([height for height, _ in ends], gap=0.085)
    for place, (_, line) in zip(places, ends):
        ax.annotate(
            figure.drawable(str(line.get_label())),
            xy=(1, place),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            fontweight="bold",
            annotation_clip=False,
        )


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, order kept, with neighbours at least `gap` apart, still centred as far as 0 to 1 allows."""
    order = np.argsort(heights, kind="stable")
    wanted = np.asarray(heights)[order]
    raised = wanted.copy()
    for i in range(1, len(raised)):
        raised[i] = max(raised[i], raised[i - 1] + gap)
    lowered = wanted.copy()
    for i in range(len(lowered) - 2, -1, -1):
        lowered[i] = min(lowered[i], lowered[i + 1] - gap)
    places = np.empty(len(wanted))
    room = np.arange(len(wanted)) * gap
    places[order] = np.clip((raised + lowered) / 2, room, 1 - room[::-1])
    return places.tolist()
