"""Exercise 8.6, a jump after every pause. Kingma and Ba 2015, "Adam" (arXiv:1412.6980): moments are state."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(weight: Tensor, gradients: Tensor, stop: int) -> Tensor:
    """The weight after a step for every gradient; after `stop` steps the run was saved, killed and gone on with."""
    momentum = torch.zeros_like(weight)
    for step, gradient in enumerate(gradients):
        if step == stop:
            saved = {"weight": weight.clone(), "step": step}
            weight, momentum = saved["weight"], torch.zeros_like(weight)
        momentum = 0.9 * momentum + gradient
        weight = weight - 0.1 * momentum
    return weight


def _loops(weight: Tensor, gradients: Tensor, stop: int) -> Tensor:
    """Without a pause: gradient g of step i moves the weight in step i and, fading by 0.9, in all later ones."""
    n = len(gradients)
    moved = [gradients[i].double() * sum(0.9**k for k in range(n - i)) for i in range(n)]
    return (weight.double() - 0.1 * torch.stack(moved).sum(dim=0)).to(weight.dtype)


def _given(rng: torch.Generator, n: int, C: int, stop: int) -> dict[str, object]:
    return {"weight": draw.normal(rng, C), "gradients": draw.normal(rng, n, C), "stop": stop}


def _never(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 3, 2, 9)
    return [Case(given, _loops(**given), "a run that is never stopped")]


def _stopped(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 4, 2, 2)
    return [
        Case({**given, "stop": stop}, _loops(**given), "the same run, stopped somewhere else") for stop in (1, 2, 3)
    ]


def _values(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 7, *draw.sizes(rng, 1), 5)
    return [Case(given, _loops(**given))]


_CAUSES = {
    "a": Cause(
        "The weight that is saved changes afterwards, because it is not copied.",
        "it is cloned, and weight = weight − ... makes a new tensor anyway.",
    ),
    "b": Cause("The momentum is not saved; after the pause it begins at zero, and the way it had is lost."),
    "c": Cause(
        "The step is saved before it is made, so one gradient is used twice.",
        "the loop goes on with the gradient of this very step, once.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="08_resume",
    lesson="08_pretraining",
    number="8.6",
    title="A jump after every pause",
    broken=broken,
    also_closed=(_loops,),
    mend=(
        ('"step": step}', '"step": step, "momentum": momentum.clone()}'),
        ("torch.zeros_like(weight)\n        momentum", 'saved["momentum"]\n        momentum'),
    ),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
ones = torch.ones(6, 1)
print("without a pause:", broken(torch.zeros(1), ones, stop=9).item())
print("with a pause after 3 steps it should be the same, but:", broken(torch.zeros(1), ones, stop=3).item())""",
    statement=f"""\
The loss of a long run jumps up a little each time that the machine is restarted. `broken` is the run in small: gradient
descent with momentum, whose gradients are given.

- `weight` is `(C,)`, `gradients` is `(n, C)`: one for every step. Before step `stop` the run is saved, killed, and gone
  on with from what was saved; with `stop` ≥ n it is never stopped.
- The result `(C,)` is the weight after all n steps. It should not depend on `stop`.

Write `fixed(weight, gradients, stop)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="AdamW keeps two numbers for every weight; a checkpoint without them is a third of the state.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Which names change from step to step? Which of them are in saved?",
        "weight and momentum both have shape (C,), and both are needed for the next step.",
        "save weight, step and momentum; after the pause take all of them back.",
        'put "momentum" into saved, and take saved["momentum"] in place of zeros.',
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("without a pause nothing changes", _never),
        Test("wherever it is stopped, the result is the same", _stopped),
        Test("agrees with the sum over all gradients", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "no_momentum": _wrong(
            "now there is no momentum at all, in either run; it belongs to the method.",
            ("0.9 * momentum + gradient", "gradient"),
        ),
        "last_gradient": _wrong(
            "the momentum is taken for the last gradient; it holds all earlier ones.",
            ("torch.zeros_like(weight)\n        momentum", "gradients[step - 1]\n        momentum"),
        ),
        "step_twice": _wrong(
            "the momentum is kept, but fades once more on the way.",
            ("torch.zeros_like(weight)\n        momentum", "0.9 * momentum\n        momentum"),
        ),
    },
)
