"""Exercise 4.4, how wide the MLP is: 8/3 of the model. Qwen Technical Report (arXiv:2309.16609), section 2.3.1."""

from fractions import Fraction
from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import mlp

KNOWN = {2048: 5504, 4096: 11008, 5120: 13696, 192: 512}  # Qwen 1.8B, 7B, 14B, and the course's own


def _counted(d_model: int) -> int:
    """The rule, by counting up in steps of 256."""
    doubled = 0
    while doubled < 2 * Fraction(8, 3) * d_model:
        doubled += 256
    return doubled // 2


def _known(rng: torch.Generator) -> list[Case]:
    widths = [list(KNOWN)[i] for i in torch.randperm(len(KNOWN), generator=rng).tolist()]
    return [Case({"d_model": d_model}, KNOWN[d_model]) for d_model in widths]


def _exact(rng: torch.Generator) -> list[Case]:
    steps = torch.randint(1, 200, (3,), generator=rng).tolist()
    return [Case({"d_model": 48 * n}, 128 * n, f"two times 8/3 of it is {n} times 256 exactly") for n in steps]


def _just_above(rng: torch.Generator) -> list[Case]:
    steps = torch.randint(1, 200, (3,), generator=rng).tolist()
    return [Case({"d_model": 48 * n + 1}, 128 * n + 128, "a little above a multiple of 256, doubled") for n in steps]


def _values(rng: torch.Generator) -> list[Case]:
    widths = torch.randint(1, 12_000, (5,), generator=rng).tolist()
    return [Case({"d_model": d_model}, _counted(d_model)) for d_model in widths]


_wrong = partial(parts.mistake, mlp.ffn_width)

EXERCISE = exercise.Implement(
    name="ffn_width",
    lesson="04_qwen_block",
    number="4.4",
    title="How wide is the MLP?",
    library=mlp.ffn_width,
    also_closed=(_counted,),
    statement="""\
Write `ffn_width(d_model)`: how many channels F the gate of Qwen's MLP has when the model has `d_model` channels.

- F is about 8/3 · d_model, but made round, so that it splits well over the cores of an accelerator. The rule that gives
  the report's widths: take **8/3 · d_model, double it, round that up to the next multiple of 256** (a number that is
  one already stays), **and halve it**.
- `d_model` is a positive whole number (`int`), and so is the result.

For example, d_model = 2048: 8/3 of it is 5461.3, doubled 10922.7, rounded up 43 · 256 = 11008, halved **5504**.

Further values: 4096 → 11008, 5120 → 13696, and 192 → 512 in the model of this course. (Why doubled? The first Qwen's
config.json counts gate and up as one matrix: its `intermediate_size` is the doubled number.)
""",
    why="Three matrices of width 8/3 · C cost what two of width 4 · C cost in 2017, so the gate comes for free.",
    points=1,
    minutes=8,
    difficulty=2,
    hints=(
        "How do you round up to a multiple of 10 with whole numbers only? Try it on 41, 49 and 50.",
        "One whole number goes in, one comes out: an int, so // and not / at the end.",
        "doubled = twice 8/3 of d_model; raised = the next multiple of 256 that is not smaller; half of raised.",
        "(n + 9) // 10 * 10 is the next multiple of 10; with 256 it works the same way.",
    ),
    tests=(
        Test("gives the widths of the report's three models, and of ours", _known),
        Test("what is a multiple of 256 already stays", _exact),
        Test("what is a little above goes up to the next multiple", _just_above),
        Test("agrees with counting up, for any width", _values),
    ),
    wrong_answers={
        "rounded_down": _wrong(
            "the doubled width is rounded down; it goes up to the next multiple of 256.",
            ("(doubled + 255)", "doubled"),
        ),
        "rounded_to_nearest": _wrong(
            "the doubled width is rounded to the nearest multiple of 256; it goes up.",
            ("+ 255", "+ 128"),
        ),
        "always_one_more": _wrong(
            "a doubled width that is a multiple of 256 already gets 256 more; it stays.",
            ("+ 255", "+ 256"),
        ),
        "rounded_before_doubling": _wrong(
            "8/3 · d_model itself is rounded to a multiple of 256; double it first, and halve it afterwards.",
            ("* d_model) * 2", "* d_model)"),
            ("256 // 2", "256"),
        ),
        "not_halved": _wrong("this is the doubled width, as in config.json; halve it.", ("256 // 2", "256")),
        "not_rounded": _wrong(
            "this is 8/3 · d_model, cut to a whole number; it goes up to a multiple of 256, doubled.",
            ("(doubled + 255) // 256 * 256", "doubled"),
        ),
        "rounded_to_one": _wrong(
            "this is 8/3 · d_model, rounded to a whole number; it goes up to a multiple of 256, doubled.",
            ("(doubled + 255) // 256 * 256 // 2", "round(8 / 3 * d_model)"),
        ),
        "four_times": _wrong(
            "this is 4 · d_model, the width of 2017, when there was no gate; with three matrices it is 8/3.",
            ("(doubled + 255) // 256 * 256 // 2", "4 * d_model"),
        ),
        "factor_cut": _wrong("8/3 was cut to 2, by 8 // 3.", ("int(4 * 2 / 3 * d_model)", "8 // 3 * d_model")),
        "smaller_steps": _wrong(
            "the steps are of 64, as if the doubled width went up to a multiple of 128; it is 256.",
            ("+ 255) // 256 * 256", "+ 127) // 128 * 128"),
        ),
        "ratio_of_two": _wrong(
            "this is 2.6875 · d_model, which fits 2048 and 4096 by their rounding; 5120 shows that it is no rule.",
            ("(doubled + 255) // 256 * 256 // 2", "int(2.6875 * d_model)"),
        ),
    },
)
