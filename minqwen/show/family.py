"""Which model of the report descends from which, and what is published about its training.

Qwen Technical Report (arXiv:2309.16609), Figure 1, Table 1 and sections 2.4, 3.1.2, 3.2, 4.1, 4.2 and 5.1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from IPython.display import Markdown
from matplotlib.axes import Axes

from minqwen.show import figure, tables

UNKNOWN, ELSEWHERE = "not published", "in another paper"  # Qwen-VL: Bai et al. 2023, arXiv:2308.12966
STAGES = {"pre-training": figure.BLUE, "preferences": figure.GREEN, "SFT": figure.RED, "RLHF": figure.PINK}


class Model(NamedTuple):
    """One model: its stage, the model that it starts from, and where the report and the course speak of it."""

    name: str
    base: str
    stage: str
    context: str
    rate: str
    tokens: str
    section: str
    lesson: str


FAMILY = (
    Model(
        "Qwen", "", "pre-training", "2,048", "3×10⁻⁴", "2.2T (1.8B), 2.4T (7B), 3.0T (14B)", "2.4, Table 1", "04, 08"
    ),
    Model("Qwen-PMP", "Qwen", "preferences", UNKNOWN, UNKNOWN, UNKNOWN, "3.2.1", "11"),
    Model("Qwen-RM", "Qwen-PMP", "preferences", "2,048", "3×10⁻⁶, constant", f"{UNKNOWN}; one epoch", "3.2.1", "11"),
    Model("Qwen-Chat", "Qwen", "SFT", "2,048", "2×10⁻⁶", f"{UNKNOWN}; 4,000 steps of 128 texts", "3.1.2", "10"),
    Model("Qwen-Chat-RLHF", "Qwen-Chat", "RLHF", UNKNOWN, "1×10⁻⁶, values 5×10⁻⁶", UNKNOWN, "3.2.2", "13"),
    Model("Code-Qwen", "Qwen", "pre-training", "8,192", "3×10⁻⁵ (7B), 6×10⁻⁵ (14B)", "about 90B more", "4.1", "08"),
    Model("Code-Qwen-Chat", "Code-Qwen", "SFT", UNKNOWN, "1×10⁻⁵ (7B), 2×10⁻⁶ (14B)", UNKNOWN, "4.2", "10"),
    Model("Math-Qwen-Chat", "Qwen", "SFT", "1,024", "2×10⁻⁵", f"{UNKNOWN}; 50,000 steps", "5.1", "10"),
    Model("Qwen-VL", "Qwen", "pre-training", ELSEWHERE, ELSEWHERE, ELSEWHERE, "1", "not built"),
    Model("Qwen-VL-Chat", "Qwen-VL", "SFT", ELSEWHERE, ELSEWHERE, ELSEWHERE, "1", "not built"),
)


def family_table(models: Sequence[Model] = FAMILY) -> Markdown:
    """The family as a table: "not published" where the report is silent."""
    columns = ("model", "starts from", "stage", "context", "peak learning rate", "tokens", "report", "lesson")
    rows = [(m.name, m.base or "random numbers", *m[2:]) for m in models]
    return tables.table(columns, rows)


def places(models: Sequence[Model]) -> dict[str, tuple[int, int]]:
    """Column and row of each model: as far right as it has ancestors; a first child stays in the row of its parent."""
    by_name = {model.name: model for model in models}
    children = {name: [model.name for model in models if model.base == name] for name in by_name}
    found: dict[str, tuple[int, int]] = {}

    def place(name: str, column: int, row: int) -> int:
        found[name] = (column, row)
        for i, child in enumerate(children[name]):
            row = place(child, column + 1, row + (i > 0))
        return row

    last = -1
    for model in models:
        if model.base not in by_name:
            last = place(model.name, 0, last + 1)
    return found


@plt.rc_context(figure.STYLE)
def lineage(models: Sequence[Model] = FAMILY, judge: tuple[str, str] = ("Qwen-RM", "Qwen-Chat-RLHF")) -> Axes:
    """An arrow from each model to those that start from it; a dashed one from the judge to the model that it trains."""
    at = places(models)
    alt = "; ".join(f"{m.name} ({m.stage}) starts from {m.base or 'random numbers'}" for m in models)
    rows = 1 + max(row for _, row in at.values())
    [ax] = figure.canvas(
        f"Family tree. {alt}. Dashed: {judge[0]} judges the answers of {judge[1]}.", height=0.55 * rows + 1
    )
    for model in models:
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": STAGES[model.stage], "linewidth": 1.8}
        column, row = at[model.name]
        ax.text(column, row, f"{model.name}\n{model.stage}", ha="center", va="center", fontsize=8, bbox=box, zorder=3)
        if model.base:
            _arrow(ax, at[model.base], at[model.name])
    _arrow(ax, at[judge[0]], at[judge[1]], dashed=True)
    (x, upper), (_, lower) = at[judge[0]], at[judge[1]]
    ax.text(x + 0.04, (upper + lower) / 2, "judges", fontsize=7.5, va="center")
    ax.set(xlim=(-0.5, 2.5), ylim=(rows - 0.5, -0.5))
    ax.set_axis_off()
    ax.set_title("Every model of the report descends from one base model")
    return ax


def _arrow(ax: Axes, start: tuple[int, int], end: tuple[int, int], dashed: bool = False) -> None:
    """From the side of one box to the side of the next; straight down where both stand in one column."""
    down = start[0] == end[0]
    tail, head = (
        ((start[0], start[1] + 0.3), (end[0], end[1] - 0.3))
        if down
        else ((start[0] + 0.21, start[1]), (end[0] - 0.28, end[1]))
    )
    style = {"arrowstyle": "->", "color": "#555555", "linestyle": "--" if dashed else "-"}
    ax.annotate("", xy=head, xytext=tail, arrowprops=style)
