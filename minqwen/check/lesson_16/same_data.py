"""Exercise 16.1, more processes, no more data. Li et al. 2020 (arXiv:2006.15704), section 3."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(n_windows: int, batch_size: int, n_processes: int, seed: int) -> Tensor:
    """Which windows each process trains on in the first step of an epoch: a row for each process."""
    size = batch_size // n_processes
    shares = torch.empty(n_processes, size, dtype=torch.long)
    for rank in range(n_processes):
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(n_windows, generator=generator)
        shares[rank] = order[:size]
    return shares


def _first_batch(n_windows: int, batch_size: int, n_processes: int, seed: int) -> Tensor:
    """The windows of all processes together, sorted: those of one process alone."""
    order = torch.randperm(n_windows, generator=torch.Generator().manual_seed(seed)).tolist()
    return torch.tensor(sorted(order[:batch_size]))


def _case(n_windows: int, size: int, n_processes: int, seed: int, note: str = "") -> Case:
    given = {"n_windows": n_windows, "batch_size": size * n_processes, "n_processes": n_processes, "seed": seed}
    together = "the windows of all processes together"
    return Case(given, _first_batch(**given), note, read=lambda out: out.flatten().sort().values, reads=together)


def _seeds(rng: torch.Generator, n: int) -> list[int]:
    return torch.randint(0, 10_000, (n,), generator=rng).tolist()


def _alone(rng: torch.Generator) -> list[Case]:
    return [_case(11, 3, 1, seed, "one process") for seed in _seeds(rng, 2)]


def _whole_epoch(rng: torch.Generator) -> list[Case]:
    return [_case(6, 2, 3, seed, "three processes share six windows: each once") for seed in _seeds(rng, 2)]


def _shared(rng: torch.Generator) -> list[Case]:
    return [_case(29, 3, n, seed, f"{n} processes do what one would") for n, seed in zip((2, 3, 5), _seeds(rng, 3))]


_CAUSES = {
    "a": Cause(
        "All processes begin from the same seed, so each must get a seed of its own.",
        "the same seed is what makes them agree on one order; with seeds of their own two may draw the same window.",
    ),
    "b": Cause("Every process takes the same place in the order, so all compute the gradient of the same windows."),
    "c": Cause(
        "The batch is divided by the number of processes, so each sees too little.",
        "that is right: together they shall see batch_size windows, as one process would.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="16_same_data",
    lesson="16_past_one_machine",
    number="16.1",
    title="Eight machines, and it learns like one",
    broken=broken,
    also_closed=(_first_batch,),
    mend=(("order[:size]", "order[rank * size : (rank + 1) * size]"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
alone = broken(n_windows=12, batch_size=4, n_processes=1, seed=0)
shared = broken(n_windows=12, batch_size=4, n_processes=2, seed=0)
print("one process trains on windows", sorted(alone.flatten().tolist()))
print("two should train on the same four, but:", sorted(shared.flatten().tolist()))""",
    statement=f"""\
A run on eight machines goes eight times as fast through its data, says its log; but its loss falls as slowly as on one
machine with an eighth of the batch. `broken` is where each process finds its windows.

- `n_windows` windows are shuffled anew each epoch. A step uses the first `batch_size` of them, whatever the number of
  processes; `n_processes` divides `batch_size`.
- The result is `(n_processes, batch_size / n_processes)`: the numbers of the windows of each process, which may come in
  any order.

Write `fixed(n_windows, batch_size, n_processes, seed)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Nothing fails, and every number in the log looks right: only comparing with one process shows it.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Print the two rows for two processes. What should they have in common?",
        "All rows together hold batch_size different numbers, those that begin the order.",
        "same order in all processes; process r takes the r-th piece of it.",
        "Process 1 of 2, with pieces of 3, takes places 3, 4 and 5.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("one process takes the beginning of the order", _alone),
        Test("no window is taken twice, and none left out", _whole_epoch),
        Test("together they take what one would", _shared),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "own_seeds": _wrong(
            "each process has an order of its own now, so two may draw the same window and others are left out; share "
            "one order.",
            ("manual_seed(seed)", "manual_seed(seed + rank)"),
        ),
        "own_seeds_and_pieces": _wrong(
            "each process has an order of its own now, so two may draw the same window; share one order.",
            ("manual_seed(seed)", "manual_seed(seed + rank)"),
            ("order[:size]", "order[rank * size : (rank + 1) * size]"),
        ),
        "a_batch_apart": _wrong(
            "the pieces begin a whole batch apart, so the windows between are left out; begin them a piece apart.",
            ("order[:size]", "order.repeat(n_processes)[rank * batch_size : rank * batch_size + size]"),
        ),
        "one_stream": _wrong(
            "each process shuffles again with the same generator, so their orders differ; make one order for all.",
            ("    for rank in", "    generator = torch.Generator().manual_seed(seed)\n    for rank in"),
            ("        generator = torch.Generator().manual_seed(seed)\n        order", "        order"),
        ),
        "overlapping": _wrong(
            "the pieces begin one place apart and overlap; begin them a whole piece apart.",
            ("order[:size]", "order[rank : rank + size]"),
        ),
        "from_the_end": _wrong(
            "the pieces are taken from the end of the order; one process would begin at its beginning.",
            ("order[:size]", "order.flip(0)[rank * size : (rank + 1) * size]"),
        ),
        "not_shuffled": _wrong(
            "the windows are no longer shuffled.", ("order[:size]", "torch.arange(rank * size, (rank + 1) * size)")
        ),
    },
)
