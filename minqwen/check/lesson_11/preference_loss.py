"""Exercise 11.2, the loss of a pair. Bradley and Terry 1952; Ouyang et al. 2022 (arXiv:2203.02155), equation 1."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minqwen.align import reward
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(chosen, rejected, margin=0.0):
    """The library's body, without its checks of the arguments."""
    return nn.functional.softplus(rejected - chosen + margin).mean()


def _loops(chosen: Tensor, rejected: Tensor, margin: float = 0.0) -> Tensor:
    losses = []
    for c, r in zip(chosen.tolist(), rejected.tolist()):
        behind = r - c + margin  # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
        losses.append(max(behind, 0.0) + math.log1p(math.exp(-abs(behind))))
    return torch.tensor(sum(losses) / len(losses), dtype=torch.float64).to(chosen.dtype)


def _given(rng: torch.Generator, n: int, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    return {name: 2 * draw.normal(rng, n, dtype=dtype) for name in ("chosen", "rejected")}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _equal(rng: torch.Generator) -> list[Case]:
    scores = draw.normal(rng, 3)
    return [Case({"chosen": scores, "rejected": scores.clone()}, torch.tensor(math.log(2)), "log 2 = 0.693 nats")]


def _right(rng: torch.Generator) -> list[Case]:
    low = draw.normal(rng, 2)
    return [_case({"chosen": low + 3, "rejected": low}, "every pair is in the right order, by 3")]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2)), _case(_given(rng, *draw.sizes(rng, 1)))]


def _margin(rng: torch.Generator) -> list[Case]:
    return [_case({**_given(rng, 3), "margin": 0.75}), _case({**_given(rng, 5), "margin": 2.0})]


def _large(rng: torch.Generator) -> list[Case]:
    scores = 200 + 100 * torch.rand(2, generator=rng)
    zero = torch.zeros(2)
    return [
        _case(
            {"chosen": zero, "rejected": scores}, "the order is wrong by some 200: the loss is that, and not infinite"
        ),
        _case({"chosen": scores, "rejected": zero}, "the order is right by some 200: the loss is 0, and not NaN"),
    ]


_wrong = partial(parts.mistake, _reference)
_SOFTPLUS = "nn.functional.softplus(rejected - chosen + margin)"

EXERCISE = exercise.Implement(
    name="preference_loss",
    lesson="11_preferences",
    number="11.2",
    title="The better one shall score higher",
    library=reward.preference_loss,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch\nfrom torch import nn",
    statement="""\
A model gave every answer a score. By Bradley and Terry, σ(chosen − rejected) is the probability that the chosen answer
is the better one. Write `preference_loss(chosen, rejected, margin=0.0)`, the mean surprise at the labels:

$$\\text{loss} = -\\frac1B \\sum_b \\log \\sigma(\\text{chosen}_b - \\text{rejected}_b - \\text{margin})$$

- `chosen` and `rejected` have shape `(B,)`: the scores of the better and of the worse answer of each pair. The result
  is a tensor without a dimension.
- `margin` is by how much the better one shall be ahead.
- Scores may be hundreds apart in either direction: the loss stays finite, and so does its gradient.

For example, scores 2 and 0 without margin: σ(2) = 0.881, so the loss is 0.127; with margin 2 it is log 2 = 0.693.

torch's functions are allowed.
""",
    why="It is the whole objective of a reward model: nobody ever says what a score should be, only which is higher.",
    points=2,
    minutes=6,
    difficulty=1,
    hints=(
        "What is the loss where both score alike? Where the order is wrong by 300?",
        "(B,) and (B,) give (B,) differences, and their mean is one number.",
        "difference less margin; −log σ of it, in a form that does not overflow; mean.",
        "−log σ(x) = log(1 + e^−x) = softplus(−x), which torch computes safely.",
    ),
    tests=(
        Test("equal scores cost log 2", _equal),
        Test("pairs in the right order cost little", _right),
        Test("agrees with plain loops", _values),
        Test("a margin asks for more", _margin),
        Test("scores that are far apart give no infinity", _large),
        draw.types("the result has the type of the scores", ("chosen", "rejected"), lambda rng: _given(rng, 3)),
        draw.gradients("a gradient reaches both", ("chosen", "rejected"), lambda rng: _given(rng, 3)),
    ),
    wrong_answers={
        "turned_round": _wrong(
            "the worse answer is rewarded; it is chosen less rejected.", ("rejected - chosen", "chosen - rejected")
        ),
        "no_minus": _wrong(
            "log σ is below 0, and its mean is lower where the order is wrong; the minus is missing.",
            (_SOFTPLUS, "-" + _SOFTPLUS),
        ),
        "epsilon": _wrong(
            "an ε inside the logarithm bounds the loss, and a hopeless pair gives no gradient; use logsigmoid.",
            (_SOFTPLUS, "-torch.log(torch.sigmoid(chosen - rejected - margin) + 1e-8)"),
        ),
        "clamped": _wrong(
            "the difference is cut off, and a hopeless pair gives no gradient; use logsigmoid.",
            (_SOFTPLUS, "-torch.log(torch.sigmoid((chosen - rejected - margin).clamp(-50, 50)))"),
        ),
        "log_of_mean": _wrong(
            "the logarithm is taken of the mean probability; each pair has its own logarithm.",
            (f"{_SOFTPLUS}.mean()", "-torch.log(torch.sigmoid(chosen - rejected - margin).mean())"),
        ),
        "bits": _wrong("that is in bits; log is the natural one.", (".mean()", ".mean() / 0.6931471805599453")),
        "hinge_of_one": _wrong(
            "that is a hinge with a margin of 1, which falls silent beyond it; it is log σ.",
            (_SOFTPLUS, "nn.functional.relu(1 + rejected - chosen + margin)"),
        ),
        "hinge": _wrong(
            "that is a hinge, which falls silent once the order is right; it is log σ.",
            ("nn.functional.softplus(", "nn.functional.relu("),
        ),
        "no_log": _wrong(
            "that is the probability of being wrong; the loss is the logarithm of that of being right.",
            ("nn.functional.softplus(", "torch.sigmoid("),
        ),
        "by_hand": _wrong(
            "e^x overflows, or σ becomes 0, where the order is badly wrong; use softplus or logsigmoid.",
            (_SOFTPLUS, "torch.log(1 + torch.exp(rejected - chosen + margin))"),
        ),
        "log_of_sigmoid": _wrong(
            "e^x overflows, or σ becomes 0, where the order is badly wrong; use softplus or logsigmoid.",
            (_SOFTPLUS, "-torch.log(torch.sigmoid(chosen - rejected - margin))"),
        ),
        "sum": _wrong("the losses are added up; take their mean.", (".mean()", ".sum()")),
        "margin_lost": _wrong("the margin has no effect.", (" + margin", "")),
        "margin_helps": _wrong(
            "the margin makes it easier; the better one shall be ahead by it.", ("+ margin", "- margin")
        ),
        "margin_outside": _wrong(
            "the margin is added to the loss; it belongs to the difference.",
            ("rejected - chosen + margin).mean()", "rejected - chosen).mean() + margin"),
        ),
        "squared": _wrong(
            "a squared difference also punishes pairs in the right order.",
            (_SOFTPLUS, "(rejected - chosen + margin).square()"),
        ),
        "mean_first": _wrong(
            "the mean of the scores is taken first; each pair has its own loss.",
            ("(rejected - chosen + margin).mean()", "(rejected.mean() - chosen.mean() + margin)"),
        ),
    },
)
