"""A run on paper: how long a Qwen of Table 1 would train on so many accelerators, and whether it would fit.

Qwen Technical Report (arXiv:2309.16609), Table 1 and section 2.4; the accelerators' numbers are NVIDIA's data sheets',
https://www.nvidia.com/en-us/data-center/a100/ and https://www.nvidia.com/en-us/data-center/h100/.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
from ipywidgets import FloatSlider, SelectionSlider

from minqwen.model import cost
from minqwen.model.config import QwenConfig
from minqwen.show import explorer, figure

CONTEXT, BATCH = 2048, 2048  # tokens of a text, texts of a step: 4 million tokens
SIZES = {
    "1.8B": (QwenConfig(vocab_size=151_936, d_model=2048, n_heads=16, n_kv_heads=16, n_layers=24, d_ff=5504), 2.2e12),
    "7B": (QwenConfig(vocab_size=151_936, d_model=4096, n_heads=32, n_kv_heads=32, n_layers=32, d_ff=11_008), 2.4e12),
    "14B": (QwenConfig(vocab_size=152_064, d_model=5120, n_heads=40, n_kv_heads=40, n_layers=40, d_ff=13_696), 3.0e12),
}
ACCELERATORS = {"A100": cost.Machine(312e12, 2.039e12), "H100": cost.Machine(989.4e12, 3.35e12)}
ROOM = 80e9  # bytes on either


class Plan(NamedTuple):
    """Bytes that an accelerator keeps, seconds of a step that it computes and that it sends, days of the whole run."""

    kept: float
    computing: float
    sending: float
    days: float


def plan(size: str, accelerator: str, n: int, stage: int, share: float, gigabits: int) -> Plan:
    """The longer of computing and sending makes the step, as the two can overlap; activations are left aside."""
    config, tokens = SIZES[size]
    computing = cost.step_flops(BATCH, CONTEXT, **cost.shape(config)) / n / (ACCELERATORS[accelerator].peak * share)
    sending = cost.exchanged_bytes(config.n_parameters, n, stage) / (gigabits * 1e9 / 8)
    days = max(computing, sending) * tokens / (BATCH * CONTEXT) / 86400
    return Plan(cost.state_bytes(config.n_parameters, n, stage), computing, sending, days)


def planner_plot(
    size: str = "7B", accelerator: str = "A100", n: int = 64, sharing: str = cost.STAGES[3], share: float = 0.4
) -> Plan:
    """Left, what each accelerator keeps beside the 80 GB that it has; right, what a step of 4 million tokens takes."""
    found = plan(size, accelerator, n, cost.STAGES.index(sharing), share, gigabits=200)
    fits = "fits" if found.kept < ROOM else "does not fit"
    said = f"{size} on {n} {accelerator}, {sharing}: {found.days:,.0f} days, and {fits}"
    with plt.rc_context(figure.STYLE):
        alt = (
            f"{said}. Each keeps {found.kept / 1e9:.0f} GB; a step computes for {found.computing:.2f} s and sends for "
            f"{found.sending:.2f} s."
        )
        left, right = figure.canvas(alt, 7.2, 2.6, boxes=((1.0, 0.6, 2.2, 1.4), (4.5, 0.6, 2.2, 1.4)))
        _bars(left, ["keeps", "has"], [found.kept / 1e9, ROOM / 1e9], "GB", "{:.0f}")
        _bars(right, ["computing", "sending"], [found.computing, found.sending], "seconds a step", "{:.2f}")
        left.figure.suptitle(said, x=0.02, y=0.95, ha="left", fontweight="bold")
    return found


def _bars(ax: plt.Axes, names: list[str], values: list[float], unit: str, form: str) -> None:
    ax.barh([0, 1], values, color=[figure.BLUE, "#bbbbbb"], height=0.6)
    for at, value in enumerate(values):
        ax.text(value, at, " " + form.format(value), va="center")
    ax.set_yticks([0, 1], names)
    ax.set(xlim=(0, 1.3 * max(values)), xlabel=unit)
    ax.invert_yaxis()


def planner() -> explorer.Explorer:
    """The plan with its controls: model, accelerator, how many, what they share, which share of the peak they reach."""
    many = SelectionSlider(options=[2**i for i in range(13)], value=64, description="accelerators")
    reached = FloatSlider(value=0.4, min=0.1, max=0.7, step=0.05, description="share of the peak")
    choices = {"size": list(SIZES), "accelerator": list(ACCELERATORS), "sharing": list(reversed(cost.STAGES))}
    return explorer.explore(planner_plot, **choices, n=many, share=reached)
