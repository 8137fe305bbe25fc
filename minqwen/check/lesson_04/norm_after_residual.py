"""Exercise 4.7, a norm in the wrong place. Xiong et al. 2020 (arXiv:2002.04745), section 3: pre- and post-norm."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.model import norm


def broken(x: Tensor, gains: Tensor, layers: Tensor) -> Tensor:
    """The stream x after each layer in turn has read it through a norm and has added to it."""
    for gain, weight in zip(gains, layers):
        x = norm.rms_norm(x, gain)
        x = x + torch.tanh(x @ weight.mT)
    return x


def _loops(x: Tensor, gains: Tensor, layers: Tensor) -> Tensor:
    rows = []
    for row in x.tolist():
        for gain, weight in zip(gains.tolist(), layers.tolist()):
            root = math.sqrt(sum(value * value for value in row) / len(row) + 1e-6)
            read = [value / root * g for value, g in zip(row, gain)]
            added = [math.tanh(sum(a * b for a, b in zip(weights, read))) for weights in weight]
            row = [a + b for a, b in zip(row, added)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).to(x.dtype)


def _given(rng: torch.Generator, n: int, T: int, C: int) -> dict[str, Tensor]:
    return {"x": 3 * draw.normal(rng, T, C), "gains": draw.normal(rng, n, C), "layers": draw.normal(rng, n, C, C)}


def _silent(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 1, 3)
    return [Case({**given, "layers": torch.zeros(2, 3, 3)}, given["x"], "all weights are 0, so no layer adds anything")]


def _size(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 1, 3)
    given["x"] = given["x"].sign() + given["x"]
    added, louder = _loops(**given) - given["x"], 8 * given["x"]
    reads = "the result less x: what the layer added"
    return [Case({**given, "x": louder}, added, "one layer; x as drawn, times 8", lambda out: out - louder, reads)]


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 1, 2), _given(rng, *draw.sizes(rng, 3))]
    return [Case(args, _loops(**args)) for args in given]


_CAUSES = {
    "a": Cause(
        "The tanh holds the stream between -1 and 1.",
        "tanh bounds what one layer adds, not the sum; and where all weights are 0 it adds 0.",
    ),
    "b": Cause(
        "rms_norm subtracts no mean, as layer norm would.",
        "Qwen's norm subtracts none, and a norm that did would change the stream here as well.",
    ),
    "c": Cause(
        "The normalised x takes the place of the stream, so each layer adds to it, and what stood there before is lost."
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="04_norm_after_residual",
    lesson="04_qwen_block",
    number="4.7",
    title="A norm in the wrong place",
    broken=broken,
    also_closed=(_loops,),
    mend=(
        ("x = norm.rms_norm(x, gain)", "read = norm.rms_norm(x, gain)"),
        ("torch.tanh(x @", "torch.tanh(read @"),
    ),
    imports="import torch\nfrom torch import Tensor\n\nfrom minqwen.model import norm",
    symptom="""\
x = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
out = broken(x, gains=torch.ones(2, 4), layers=torch.zeros(2, 4, 4))
print("two layers whose weights are 0 should leave 10, 20, 30, 40 as they are, but:", out)""",
    statement=f"""\
In Qwen a layer *reads* the stream through a norm and *adds* what it computed to the stream itself, which no layer ever
scales: x + f(norm(x)). This is called pre-norm. `broken` has a norm at the head of every layer too, and runs. But the
deeper it is, the less of the x that it was given is left in its result: after 32 random layers, next to nothing.

- `x` is `(T, C)`: T tokens. There are L layers; a layer here is x + tanh(norm(x) Wᵀ), in place of a whole attention or
  MLP. `layers` is `(L, C, C)`, a W for each. `gains` is `(L, C)`, a weight for the norm of each.
- The norm is `norm.rms_norm(x, gain)`, which works and is not what is broken. The result is `(T, C)`.

Write `fixed(x, gains, layers)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A stream that is only added to carries the embedding up and the gradient down, past any number of layers.",
    points=3,
    minutes=10,
    difficulty=2,
    hints=(
        "If all weights are 0 every layer adds 0. What else happens to x in a layer?",
        "x, its normed copy and what is added are all (T, C); which two of them may be summed?",
        "for each layer: normed copy of x, under a name of its own; tanh of the copy times Wᵀ; add that to x.",
        "Give the result of norm.rms_norm another name than x, and use that name inside tanh only.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("layers that add nothing leave x as it is", _silent),
        Test("what a layer adds does not depend on the size of x", _size),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "after_the_sum": _wrong(
            "now the norm comes after the sum: the post-norm of 2017, where it still stands in the stream's way.",
            ("x = norm.rms_norm(x, gain)", "added = torch.tanh(x @ weight.mT)"),
            ("x = x + torch.tanh(x @ weight.mT)", "x = norm.rms_norm(x + added, gain)"),
        ),
        "no_norm": _wrong(
            "now there is no norm at all: each layer reads the stream at whatever size it has.",
            ("x = norm.rms_norm(x, gain)", "read = x"),
            ("torch.tanh(x @", "torch.tanh(read @"),
        ),
        "added_is_normed": _wrong(
            "now the norm stands behind the layer, on what is added; it belongs in front, on what the layer reads.",
            ("x = norm.rms_norm(x, gain)", "added = torch.tanh(x @ weight.mT)"),
            ("x = x + torch.tanh(x @ weight.mT)", "x = x + norm.rms_norm(added, gain)"),
        ),
        "nothing_added": _wrong(
            "now the layer's result replaces the stream; it is added to it.",
            ("x = norm.rms_norm(x, gain)", "read = norm.rms_norm(x, gain)"),
            ("x = x + torch.tanh(x @", "x = torch.tanh(read @"),
        ),
    },
)
