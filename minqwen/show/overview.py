"""The lessons of the course and three ways through them, read off the first page: no second list can go stale."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minqwen.show import figure

PATHS = {
    "one\nevening": frozenset(range(3)),
    "a\nweekend": frozenset({0, 1, 2, 4, 7, 10, 14}),
    "all": frozenset(range(17)),
}


class Lesson(NamedTuple):
    """A row of the first page; `stem` and `minutes` are empty for a lesson that is not written yet."""

    number: int
    title: str
    stem: str
    minutes: int


def lessons(readme: str) -> list[Lesson]:
    """The rows "| 01 | [title](notebooks/01_topic.ipynb) | 90 |", or "| 03 | title | to come |", of the first page."""
    found = []
    for number, name, minutes in re.findall(r"^\| (\d\d) \| (.*?) \| (.*?) \|$", readme, re.MULTILINE):
        link = re.fullmatch(r"\[(.*)\]\(notebooks/(\w+)\.ipynb\)", name)
        title, stem = link.groups() if link else (name, "")
        found.append(Lesson(int(number), title.replace("`", ""), stem, int(minutes) if stem else 0))
    return found


@plt.rc_context(figure.STYLE)
def course_map(found: Sequence[Lesson], paths: Mapping[str, frozenset[int]] = PATHS) -> Axes:
    """A line down the lessons for each path, with a stop at each of its lessons: filled if written, hollow if not."""
    written = [lesson for lesson in found if lesson.stem]
    alt = "; ".join(
        f"{' '.join(n.split())}: lessons {', '.join(f'{i:02}' for i in sorted(p))}" for n, p in paths.items()
    )
    alt = f"Map of {len(found)} lessons. {alt}. Written so far: {', '.join(f'{each.number:02}' for each in written)}."
    start = 0.8 * len(paths) + 0.1
    width = max(7.2, start + 1.1 + 0.07 * max(len(lesson.title) for lesson in found))  # or the titles squeeze the rest
    [ax] = figure.canvas(alt, width=width, height=0.24 * len(found) + 1.0)
    colours = (figure.BLUE, figure.RED, figure.GREEN)
    for i, (name, stops) in enumerate(paths.items()):
        x, colour = 0.45 + 0.8 * i, colours[i % len(colours)]
        ax.plot([x, x], [min(stops), max(stops)], color=colour, linewidth=2, zorder=1)
        for lesson in found:
            if lesson.number in stops:
                face = colour if lesson.stem else "white"
                ax.plot(x, lesson.number, "o", markersize=7, markerfacecolor=face, markeredgecolor=colour, zorder=2)
        ax.text(x, -0.8, name, ha="center", va="bottom", color=colour, fontweight="bold", linespacing=0.95)
    for lesson in found:
        said, dark = (f"{lesson.minutes} min", "#111111") if lesson.stem else ("to come", "#666666")
        ax.text(start, lesson.number, f"{lesson.number:02}", va="center", color=dark)
        ax.text(start + 0.95, lesson.number, said, va="center", ha="right", fontsize=8, color=dark)
        ax.text(start + 1.1, lesson.number, lesson.title, va="center", color=dark)
    ax.set(xlim=(0, width), ylim=(found[-1].number + 0.6, -2.2))
    ax.set_axis_off()
    state = f"; {len(written)} of {len(found)} lessons are written (filled)" if len(written) < len(found) else ""
    ax.set_title(f"Three ways through the course{state}")
    return ax
