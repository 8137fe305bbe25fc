"""Exercise 12.4, the loss of PPO. Schulman et al. 2017 (arXiv:1707.06347), equation 7."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import ppo
from minqwen.align.ppo import PPOLoss
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(logp, logp_old, advantages, mask, clip=0.2):
    """The library's body without its check of the arguments, and with the mean written out."""
    count = mask.sum().clamp(min=1)
    log_ratio = (logp - logp_old.detach()).where(mask, 0.0)
    ratio, advantages = log_ratio.exp(), advantages.detach().where(mask, 0.0)
    free, clipped = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    loss = -torch.minimum(free, clipped).sum() / count
    clip_share = (clipped < free).sum() / count
    kl = (ratio - 1 - log_ratio).sum() / count
    return PPOLoss(loss, clip_share.to(loss.dtype), kl.detach())


def _loops(logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2) -> tuple[Tensor, ...]:
    terms = []
    for new, old, a, m in zip(*(x.flatten().double().tolist() for x in (logp, logp_old, advantages, mask))):
        if m:
            ratio = math.exp(new - old)
            free, bound = ratio * a, min(max(ratio, 1 - clip), 1 + clip) * a
            terms.append((-min(free, bound), float(bound < free), ratio - 1 - (new - old)))
    means = [sum(column) / len(terms) for column in zip(*terms)] or [0.0] * 3
    return tuple(torch.tensor(mean, dtype=torch.float64).to(logp.dtype) for mean in means)


def _given(rng: torch.Generator, mask: Sequence[Sequence[int]] = ((1, 1),)) -> dict[str, Any]:
    kept = torch.tensor(mask).bool()
    old = -torch.rand(*kept.shape, generator=rng) - 0.5
    return {
        "logp": old + 0.5 * draw.normal(rng, *kept.shape),
        "logp_old": old,
        "advantages": draw.normal(rng, *kept.shape),
        "mask": kept,
    }


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _at(rng: torch.Generator, ratio: float, sign: int, note: str) -> Case:
    given = _given(rng, [[1]])
    given["logp"] = given["logp_old"] + math.log(ratio)
    given["advantages"] = sign * (0.5 + torch.rand(1, 1, generator=rng))
    return _case(given, note)


def _same(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1]])
    given["logp"] = given["logp_old"].clone()
    return [_case(given, "new and old policy are the same: ρ = 1, and the loss is −mean A")]


def _held(rng: torch.Generator) -> list[Case]:
    return [
        _at(rng, 1.5, 1, "a good action that is likelier already, ρ = 1.5: held at 1.2 A"),
        _at(rng, 0.5, -1, "a bad action that is rarer already, ρ = 0.5: held at 0.8 A"),
    ]


def _pushed(rng: torch.Generator) -> list[Case]:
    return [
        _at(rng, 0.5, 1, "a good action that has become rarer, ρ = 0.5: not held, ρ A"),
        _at(rng, 1.5, -1, "a bad action that has become likelier, ρ = 1.5: not held, ρ A"),
    ]


def _values(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    return [_case(_given(rng, [[1, 1, 1]])), _case({**_given(rng, [[1] * T] * B), "clip": 0.1})]


def _gradients(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1, 1]])
    given["logp"] = given["logp_old"] + 0.05 * torch.tensor([[1.0, -1.0, 0.5]])  # inside the clip
    names, expected = ("logp", "logp_old", "advantages"), torch.tensor([True, False, False])
    return [Case(given, expected, gradients=names, reads="whether a gradient reaches logp, logp_old, advantages")]


def _gauges(rng: torch.Generator) -> list[Case]:
    reads = "whether clip_share or kl passes a gradient on to logp"
    gauges: dict[str, Any] = {"read": lambda out: out[1:], "gradients": ("logp",)}
    return [Case(_given(rng, [[1, 1, 1]]), torch.tensor([False]), reads=reads, **gauges)]


def _slopes(logp: Tensor, logp_old: Tensor, advantages: Tensor, mask: Tensor) -> dict[str, Tensor]:
    ratio, good = (logp - logp_old).exp(), advantages > 0
    held = (good & (ratio > 1.2)) | (~good & (ratio < 0.8)) | ~mask
    return {"logp": -(ratio * advantages).masked_fill(held, 0.0) / mask.sum()}


_wrong = partial(parts.mistake, _reference)
_MIN, _LOSS = "torch.minimum(free, clipped)", "torch.minimum(free, clipped).sum() / count"
_SHARE, _RATIO = "(clipped < free).sum()", "(logp - logp_old.detach())"

EXERCISE = exercise.Implement(
    name="ppo_clip_loss",
    lesson="12_ppo",
    number="12.4",
    title="The clipped loss",
    library=ppo.ppo_clip_loss,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch\n\nfrom minqwen.align.ppo import PPOLoss",
    statement="""\
Write `ppo_clip_loss(logp, logp_old, advantages, mask, clip=0.2)`, with ε = `clip`:

$$\\text{loss}=-\\operatorname{mean}\\,
\\min\\bigl(\\rho A,\\ \\operatorname{clip}(\\rho,1-\\varepsilon,1+\\varepsilon)\\,A\\bigr),
\\qquad\\rho=e^{\\text{logp}-\\text{logp\\_old}}$$

- `logp`, `logp_old` and `advantages` have shape `(B, T)`: the log-probabilities of the tokens that were drawn, by the
  new policy and by the one that drew them, and A.
- `mask` is boolean `(B, T)`: the mean runs over its True positions, each with the same weight. Without any it is 0.
- Only `logp` gets a gradient.
- Return `PPOLoss(loss, clip_share, kl)` or a plain tuple of the three, each without a dimension. `clip_share` is the
  share of tokens where the clipped term is the **smaller** one; `kl` is the mean of ρ − 1 − log ρ. Both are gauges,
  for people: they carry no gradient.

For example, A = 2 and ρ = 1.5: min(3, 1.2 · 2) = 2.4, loss −2.4, clip_share 1. With A = −2: min(−3, −2.4) = −3, loss
3, clip_share 0.
""",
    why="It is the whole of PPO: a batch may be used again, until the policy has moved as far as the batch can say.",
    points=3,
    minutes=15,
    difficulty=2,
    hints=(
        "With A = −2: is −3 or −2.4 the smaller one, and which of the two lets the policy go on learning?",
        "Everything is (B, T) up to the mean; the three results are single numbers.",
        "log ratio, 0 where mask is False; ratio; both terms; minus the sum of the smaller one over the count.",
        "torch.minimum compares place by place; ratio.clamp(1 - clip, 1 + clip); .detach() holds a gradient back.",
    ),
    tests=(
        Test("at the old policy the loss is −mean A", _same),
        Test("what has moved far enough is held", _held),
        Test("what has moved the wrong way is not held", _pushed),
        Test("agrees with plain loops", _values),
        Test("padding does not count", lambda rng: [_case(_given(rng, [[1, 1, 1], [1, 0, 0]]), "four tokens count")]),
        Test("a batch without tokens gives 0", lambda rng: [_case(_given(rng, [[0, 0]]), "0, and not NaN")]),
        Test("a gradient reaches the new policy alone", _gradients),
        Test("the gauges have no gradient", _gauges),
        draw.slopes(
            "what is held has no pull, the rest that of ρ A", ("logp",), lambda rng: _given(rng, [[1] * 5]), _slopes
        ),
        draw.types("the result has the type of logp", ("logp", "logp_old", "advantages"), _given, draw.DOUBLE),
    ),
    wrong_answers={
        "sign": _wrong("the objective is to be raised; the loss is minus it.", (f"-{_MIN}", _MIN)),
        "maximum": _wrong(
            "the larger term is taken, so moves the wrong way are held and the others are not; take the smaller one.",
            (_MIN, "torch.maximum(free, clipped)"),
        ),
        "always_clipped": _wrong(
            "the clipped term alone is used: a move the wrong way then has no gradient, and is never undone.",
            (_MIN, "clipped"),
        ),
        "never_clipped": _wrong("nothing is clipped.", (_MIN, "free")),
        "log_ratio": _wrong("ρ is a ratio of probabilities: take exp.", ("log_ratio.exp()", "(1 + log_ratio)")),
        "turned_round": _wrong("ρ is old over new; it is new over old.", (_RATIO, "(logp_old.detach() - logp)")),
        "advantage_clipped": _wrong(
            "the advantage is clipped; the ratio is.",
            ("ratio.clamp(1 - clip, 1 + clip) * advantages", "ratio * advantages.clamp(1 - clip, 1 + clip)"),
        ),
        "padding_counts": _wrong("padding is counted in the mean.", ("mask.sum().clamp(min=1)", "mask.numel()")),
        "not_a_number": _wrong("without any token that is 0/0; give 0.", ("mask.sum().clamp(min=1)", "mask.sum()")),
        "outside_counts": _wrong(
            "`clip_share` counts every ratio outside 1 ± ε; count where the clipped term is the smaller one.",
            (_SHARE, "((ratio - 1).abs() > clip).sum()"),
        ),
        "kl_by_k1": _wrong("`kl` is the mean of −log ρ; it lacks ρ − 1.", ("ratio - 1 - log_ratio", "-log_ratio")),
        "kl_of_new": _wrong(
            "`kl` has ρ turned round.", ("ratio - 1 - log_ratio", "(-log_ratio).exp() - 1 + log_ratio")
        ),
        "summed": _wrong("that is the sum; take the mean.", (_LOSS, f"{_MIN}.sum()")),
        "old_learns": _wrong("a gradient reaches logp_old; detach it.", ("logp_old.detach()", "logp_old")),
        "row_means": _wrong(
            "that is the mean of the rows' means, in which the tokens of short rows weigh more.",
            (_LOSS, f"({_MIN}.sum(-1) / mask.sum(-1).clamp(min=1)).mean()"),
        ),
        "clip_lost": _wrong("`clip` has no effect.", ("ratio.clamp(1 - clip, 1 + clip)", "ratio.clamp(0.8, 1.2)")),
        "gauge_learns": _wrong("a gradient flows through `kl`, which is a gauge; detach it.", ("kl.detach()", "kl")),
        "critic_learns": _wrong("the advantages carry a gradient; detach them.", ("advantages.detach()", "advantages")),
    },
)
