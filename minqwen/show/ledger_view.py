"""The ledger: what the report says, and what this course makes of each claim.

Qwen Technical Report (arXiv:2309.16609); the rows stand in notebooks/src/claims.toml, and nowhere else.
"""

import tomllib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from IPython.display import Markdown
from matplotlib.axes import Axes

from minqwen.show import figure, plots, tables

STATUSES = ("shown", "direction only", "no effect seen", "not testable here", "to come")
SHADES = (figure.BLUE, "#7fb2d6", "#e69f00", "#cccccc", "#ffffff")
HATCHES = ("", "", "//", "", "..")  # so that no status is told by its colour alone
PARTS = {
    "1": "introduction",
    "2": "pre-training",
    "3": "alignment",
    "4": "Code-Qwen",
    "5": "Math-Qwen",
    "6": "related work",
    "A": "appendix",
}


class Claim(NamedTuple):
    """A row: what the report says and where, and the lesson, the cell and the status that answer it."""

    claim: str
    report: str
    lesson: str
    cell: str
    status: str
    item: str = ""


def claims(toml: str) -> list[Claim]:
    """The rows of claims.toml, in its order, which is the report's."""
    found = [Claim(**row) for row in tomllib.loads(toml)["claims"]]
    unknown = sorted({each.status for each in found} - set(STATUSES))
    if unknown:
        raise ValueError(f"status {', '.join(unknown)} is not known; use one of {', '.join(STATUSES)}")
    return found


def ledger(found: Sequence[Claim]) -> Markdown:
    """A line for every claim."""
    rows = [
        [f"{each.report} {each.item}".strip(), each.claim, each.lesson, each.cell.replace("-", " "), each.status]
        for each in found
    ]
    return tables.table(["report", "claim", "lesson", "cell", "status"], rows)


def counts(found: Sequence[Claim]) -> dict[str, Counter]:
    """How many claims of each part of the report have which status; parts without a claim are left out."""
    by_part = {name: Counter(c.status for c in found if c.report[0] == key) for key, name in PARTS.items()}
    return {name: count for name, count in by_part.items() if count}


@plt.rc_context(figure.STYLE)
def ledger_plot(found: Sequence[Claim]) -> Axes:
    """A bar for each part of the report, in pieces by status, each piece with its number."""
    by_part = counts(found)
    met = [status for status in STATUSES if any(count[status] for count in by_part.values())]
    total = Counter(each.status for each in found)
    said = ", ".join(f"{total[status]} {status}" for status in met)
    [ax] = figure.canvas(f"Claims by part of the report and status: {said}.", width=7.2, height=3.2)
    names, ends = list(by_part), [0] * len(by_part)
    for status in met:
        at = STATUSES.index(status)
        values = [by_part[name][status] for name in names]
        style = {"color": SHADES[at], "hatch": HATCHES[at], "edgecolor": "#555555", "linewidth": 0.6}
        drawn = ax.barh(range(len(names)), values, left=ends, height=0.7, label=f"{status} ({total[status]})", **style)
        dark = "white" if status == "shown" else "black"
        ax.bar_label(drawn, [str(value or "") for value in values], label_type="center", fontsize=7, color=dark)
        ends = [end + value for end, value in zip(ends, values)]
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower right", frameon=False, fontsize=8)
    title = f"Of {len(found)} claims, {total['shown']} are shown, and of {total['direction only']} the direction"
    return plots.dress(ax, title, "claims", "")
