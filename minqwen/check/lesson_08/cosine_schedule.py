"""Exercise 8.3, the learning rate over a run. Loshchilov and Hutter 2017 (arXiv:1608.03983), section 3."""

import math
from functools import partial
from typing import Any

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import schedule


def _reference(step, warmup, total, peak, floor_share=0.1):
    """The library's body, without its check of the arguments."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min((step - warmup) / (total - warmup), 1.0)
    floor = floor_share * peak
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2


def _oracle(step: int, warmup: int, total: int, peak: float, floor_share: float = 0.1) -> float:
    """By the half angle: cos² falls from 1 to 0."""
    if step < warmup:
        return peak / warmup * (step + 1)
    quarter = math.pi / 2 * min(1.0, (step - warmup) / (total - warmup))
    return peak * (floor_share + (1 - floor_share) * math.cos(quarter) ** 2)


def _drawn(rng: torch.Generator) -> dict[str, Any]:
    warmup, rest = torch.randint(2, 30, (2,), generator=rng).tolist()
    return {"warmup": warmup, "total": warmup + 4 * rest, "peak": (torch.rand((), generator=rng).item() + 1) / 1000}


def _at(rng: torch.Generator, step: Any, note: str) -> list[Case]:
    given = _drawn(rng)
    args = {"step": step(given), **given}
    return [Case(args, _oracle(**args), note)]


def _warm(rng: torch.Generator) -> list[Case]:
    return [
        *_at(rng, lambda g: 0, "the first step: already above 0"),
        *_at(rng, lambda g: g["warmup"] - 1, "the last step of the warm-up: the peak"),
    ]


def _middle(rng: torch.Generator) -> list[Case]:
    return _at(rng, lambda g: (g["warmup"] + g["total"]) // 2, "half-way down") + _at(
        rng, lambda g: g["warmup"] + (g["total"] - g["warmup"]) // 4, "a quarter of the way"
    )


def _end(rng: torch.Generator) -> list[Case]:
    return [
        *_at(rng, lambda g: g["total"], "the end: a tenth of the peak"),
        *_at(rng, lambda g: 2 * g["total"], "long after the end: still a tenth"),
    ]


def _floor(rng: torch.Generator) -> list[Case]:
    given = _drawn(rng)
    args = {"step": given["total"] - 1, **given, "floor_share": 0.5}
    return [Case(args, _oracle(**args), "a floor of half the peak")]


def _no_warmup(rng: torch.Generator) -> list[Case]:
    given = {**_drawn(rng), "warmup": 0}
    return [Case({"step": 0, **given}, given["peak"], "no warm-up: the run begins at the peak")]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="cosine_schedule",
    lesson="08_pretraining",
    number="8.3",
    title="Up quickly, down slowly",
    library=schedule.cosine_schedule,
    reference=_reference,
    also_closed=(_oracle,),
    in_model=True,
    imports="import math\n\nimport torch\n\nids = torch.tensor([[0, 1, 2, 0, 1]])  # a text for the run below",
    statement="""\
Write `cosine_schedule(step, warmup, total, peak, floor_share=0.1)`, the learning rate of a step.

- `step` counts from 0. In the first `warmup` steps the rate rises in equal parts: **peak · (step + 1) / warmup**, so
  step 0 is not lost on a rate of 0, and step warmup − 1 has the `peak`. `warmup` may be 0.
- From step `warmup` to step `total` it falls from peak to **floor = `floor_share` · peak** along half a cosine:
  floor + (peak − floor) · (1 + cos(π · done)) / 2, where done runs from 0 to 1 meanwhile. After `total` it stays.
- Plain numbers go in, a `float` comes out; `math` is imported.

For example, warmup 10, total 110, peak 1.0: step 0 gives 0.1, step 9 gives 1.0, step 60 (half-way) 0.55, step 110 and
after it 0.1.
""",
    why="Every model of the report was trained with it: to 3·10⁻⁴, then down to a tenth.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "Which value should the cosine have at the start of the fall, and which at its end?",
        "Numbers only. done = 0 at step warmup, done = 1 at step total.",
        "if in the warm-up: a straight line; else: done, cut at 1; then the floor plus a share of the rest.",
        "(1 + cos(0)) / 2 = 1 and (1 + cos(π)) / 2 = 0: between floor and peak lies (peak − floor) times that.",
    ),
    tests=(
        Test("the warm-up begins above 0 and ends at the peak", _warm),
        Test("the fall is half a cosine", _middle),
        Test("the end is the floor, and it stays there", _end),
        Test("the floor is a share of the peak that can be chosen", _floor),
        Test("without warm-up the run begins at the peak", _no_warmup),
    ),
    wrong_answers={
        "starts_at_zero": _wrong("step 0 has rate 0 and is wasted; use step + 1.", ("(step + 1)", "step")),
        "counts_from_the_start": _wrong(
            "the fall is counted from step 0; it begins after the warm-up.",
            ("(step - warmup) / (total - warmup)", "step / total"),
        ),
        "falls_to_zero": _wrong("it falls to 0; the floor is a tenth.", ("floor = floor_share * peak", "floor = 0.0")),
        "floor_added": _wrong(
            "the floor is added on top, so that it begins above the peak.", ("(peak - floor)", "peak")
        ),
        "rises_again": _wrong(
            "after the end the cosine rises again; the rate stays at the floor.",
            ("min((step - warmup) / (total - warmup), 1.0)", "(step - warmup) / (total - warmup)"),
        ),
        "whole_cosine": _wrong(
            "this is a whole turn; half a cosine ends at the floor.", ("math.pi * done", "2 * math.pi * done")
        ),
        "quarter_cosine": _wrong(
            "this is a quarter of a turn; use (1 + cos(π · done)) / 2.",
            ("(1 + math.cos(math.pi * done)) / 2", "math.cos(math.pi / 2 * done)"),
        ),
        "straight": _wrong("the fall is a straight line.", ("(1 + math.cos(math.pi * done)) / 2", "(1 - done)")),
        "floor_absolute": _wrong(
            "the floor is floor_share itself; it is that share of the peak.", ("floor_share * peak", "floor_share")
        ),
        "over_the_whole_run": _wrong(
            "done is divided by total; the fall has total − warmup steps.", ("/ (total - warmup)", "/ total")
        ),
        "floor_fixed": _wrong("floor_share has no effect.", ("floor_share * peak", "0.1 * peak")),
        "no_half": _wrong("1 + cos goes from 2 to 0; halve it.", (" / 2", "")),
        "degrees": _wrong("cos takes radians: π is half a turn, not 180.", ("math.pi * done", "180 * done")),
    },
)
