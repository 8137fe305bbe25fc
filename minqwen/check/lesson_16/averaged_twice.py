"""Exercise 16.2, steps that shrink with every machine. Li et al. 2020 (arXiv:2006.15704), section 3: the average of
gradients of means."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(weight: Tensor, x: Tensor, y: Tensor, n_processes: int) -> Tensor:
    """The weight after a step against the mean squared error of all rows; each process computes those of its share."""
    total = torch.zeros_like(weight)
    for rank in range(n_processes):
        rows, targets = x.chunk(n_processes)[rank], y.chunk(n_processes)[rank]
        gradient = 2 * rows.mT @ (rows @ weight - targets) / len(x)
        total = total + gradient
    return weight - 0.1 * total / n_processes


def _loops(weight: Tensor, x: Tensor, y: Tensor, n_processes: int) -> Tensor:
    """One process: the mean over rows of 2 · x · (x·w − y), a row at a time."""
    steps = [2 * row * (row @ weight.double() - target) for row, target in zip(x.double(), y.double())]
    return (weight.double() - 0.1 * sum(steps) / len(steps)).to(weight.dtype)


def _given(rng: torch.Generator, share: int, C: int, n_processes: int) -> dict[str, object]:
    B = share * n_processes
    return {
        "weight": draw.normal(rng, C),
        "x": draw.normal(rng, B, C),
        "y": draw.normal(rng, B),
        "n_processes": n_processes,
    }


def _alone(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 5, 2, 1)
    return [Case(given, _loops(**given), "one process")]


def _same_batch(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 3, 2, 4)
    return [Case(given | {"n_processes": n}, _loops(**given), "the same batch on 2, 3, 4 processes") for n in (2, 3, 4)]


def _one_row_each(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 3, 5)
    return [Case(given, _loops(**given), "one row a process")]


_CAUSES = {
    "a": Cause(
        "The processes compute the gradient of the same rows.",
        "each takes its own piece of x and of y.",
    ),
    "b": Cause(
        "The gradients are averaged over the processes, where they must be added up.",
        "averaging is right, and what DDP and FSDP do, if each process gives the gradient of its own mean.",
    ),
    "c": Cause(
        "Each process divides by the rows of the whole batch, and then the average divides by the processes again."
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="16_averaged_twice",
    lesson="16_past_one_machine",
    number="16.2",
    title="The more machines, the smaller the steps",
    broken=broken,
    also_closed=(_loops,),
    mend=(("/ len(x)", "/ len(rows)"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
x, y = torch.ones(4, 1), torch.ones(4)
print("one process moves the weight to", broken(torch.zeros(1), x, y, 1).item())
print("four should do the same with the same rows, but:", broken(torch.zeros(1), x, y, 4).item())""",
    statement=f"""\
A linear model is trained by plain gradient descent, at rate 0.1. On four processes its loss falls as if the rate were
0.025. DDP and FSDP **average** the gradients of the processes; `broken` does so too.

- `weight` is `(C,)`, `x` is `(B, C)`, `y` is `(B,)`; `n_processes` divides B, and each process takes B / n rows.
- The loss is the mean over all B rows of (x·w − y)². The result `(C,)` is the weight after one step, the same for any
  number of processes.

Write `fixed(weight, x, y, n_processes)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="AdamW divides by the gradient's own size and so hides this mistake, but for clipping; plain descent shows it.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "By which numbers is the sum over all rows divided, on one process and on four?",
        "The gradient of each process is (C,), like that of the whole batch; their mean shall be that of the whole.",
        "mean over the own rows in each process; then the mean over processes.",
        "With B = 4 on 4 processes, each has one row: divide by 1 there, and by 4 at the end.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("one process is plain gradient descent", _alone),
        Test("any number of processes makes the same step", _same_batch),
        Test("a process may have a single row", _one_row_each),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "never_averaged": _wrong(
            "now nothing divides by the number of processes: the step grows with it.",
            ("/ len(x)", "/ len(rows)"),
            ("total / n_processes", "total"),
        ),
        "last_process": _wrong(
            "only the last process has a say; take the mean over all of them.",
            ("total = total + gradient", "total = gradient * n_processes"),
            ("/ len(x)", "/ len(rows)"),
        ),
        "rate_of_four": _wrong("the rate is multiplied by 4, which is right on 4 processes only.", ("0.1", "0.4")),
        "sums": _wrong("each process takes the sum over its rows; the loss is their mean.", (" / len(x)", "")),
        "in_turn": _wrong(
            "the processes step one after the other; all begin at the same weight.",
            ("total = total + gradient", "weight = weight - 0.1 * gradient"),
            ("/ len(x)", "/ len(rows)"),
            ("return weight - 0.1 * total / n_processes", "return weight"),
        ),
        "half": _wrong("the 2 of the square's derivative is lost.", ("2 * rows", "rows"), ("/ len(x)", "/ len(rows)")),
        "no_mean": _wrong(
            "the sum over all rows is taken, where the loss is their mean.",
            (" / len(x)", ""),
            ("total / n_processes", "total"),
        ),
    },
)
