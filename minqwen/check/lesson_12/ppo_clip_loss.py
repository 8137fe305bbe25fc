"""Exercise 12.4, the loss of PPO. Schulman et al. 2017 (arXiv:1707.06347), equation 7."""

import math
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


def _given(rng: torch.Generator, mask: list[list[int]], dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    kept = torch.tensor(mask).bool()
    old = -torch.rand(*kept.shape, generator=rng).to(dtype) - 0.5
    return {
        "logp": old + 0.5 * draw.normal(rng, *kept.shape, dtype=dtype),
        "logp_old": old,
        "advantages": draw.normal(rng, *kept.shape, dtype=dtype),
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


def _masked(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1, 1, 1], [1, 0, 0]]), "four tokens count, and each weighs the same")]


def _nothing(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[0, 0]]), "no token counts: 0, and not NaN")]


def _gradients(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1, 1]])
    given["logp"] = given["logp_old"] + 0.05 * torch.tensor([[1.0, -1.0, 0.5]])  # inside the clip
    names, expected = ("logp", "logp_old", "advantages"), torch.tensor([True, False, False])
    return [Case(given, expected, gradients=names, reads="whether a gradient reaches logp, logp_old, advantages")]


def _types(rng: torch.Generator) -> list[Case]:
    given, nothing = _given(rng, [[1, 1]], torch.float64), torch.empty(0, dtype=torch.float64)
    return [Case(given, nothing, read=lambda out: out[0].flatten()[:0], reads="the type of the result")]


_wrong = partial(parts.mistake, _reference)
_MIN = "torch.minimum(free, clipped)"
_SHARE = "(clipped < free).sum()"
_RATIO = "(logp - logp_old.detach())"

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
        Test("padding does not count", _masked),
        Test("a batch without tokens gives 0", _nothing),
        Test("a gradient reaches the new policy alone", _gradients),
        Test("the result has the type of logp", _types),
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
        "log_ratio": _wrong(
            "ρ is a ratio of probabilities; the difference of their logarithms wants an exp.",
            ("log_ratio.exp()", "(1 + log_ratio)"),
        ),
        "turned_round": _wrong("ρ is old over new; it is new over old.", (_RATIO, "(logp_old.detach() - logp)")),
        "advantage_clipped": _wrong(
            "the advantage is clipped; the ratio is.",
            ("ratio.clamp(1 - clip, 1 + clip) * advantages", "ratio * advantages.clamp(1 - clip, 1 + clip)"),
        ),
        "padding_counts": _wrong(
            "padding is counted in the mean.", ("count = mask.sum().clamp(min=1)", "count = mask.numel()")
        ),
        "not_a_number": _wrong(
            "without any token the mean is 0/0, which is no number; give 0.", ("mask.sum().clamp(min=1)", "mask.sum()")
        ),
        "outside_counts": _wrong(
            "`clip_share` counts every ratio outside 1 ± ε; count where the clipped term is the smaller one.",
            (_SHARE, "((ratio - 1).abs() > clip).sum()"),
        ),
        "kl_by_k1": _wrong(
            "`kl` is the mean of −log ρ, which may be negative; take ρ − 1 − log ρ.",
            ("(ratio - 1 - log_ratio).sum()", "-log_ratio.sum()"),
        ),
        "old_learns": _wrong(
            "a gradient reaches the old policy; detach its log-probabilities.", ("logp_old.detach()", "logp_old")
        ),
        "critic_learns": _wrong(
            "a gradient reaches the advantages; detach them.", ("advantages.detach()", "advantages")
        ),
    },
)
