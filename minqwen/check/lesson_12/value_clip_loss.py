"""Exercise 12.8, a critic that moves in small steps. Qwen Technical Report (arXiv:2309.16609), section 3.2.2."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import ppo
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(values, values_old, returns, mask, clip):
    """The library's body without its check of the arguments, and with the mean written out."""
    returns, values_old = returns.detach(), values_old.detach()
    near = values_old + (values - values_old).clamp(-clip, clip)
    worse = torch.maximum((values - returns).square(), (near - returns).square())
    return worse.where(mask, 0.0).sum() / mask.sum().clamp(min=1) / 2


def _loops(values: Tensor, values_old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    terms = []
    for v, old, r, m in zip(*(x.flatten().double().tolist() for x in (values, values_old, returns, mask))):
        near = min(max(v, old - clip), old + clip)
        terms += [max((v - r) ** 2, (near - r) ** 2) / 2] * bool(m)
    return torch.tensor(sum(terms) / max(len(terms), 1), dtype=torch.float64).to(values.dtype)


def _given(rng: torch.Generator, mask: list[list[int]], dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    kept = torch.tensor(mask).bool()
    names = ("values", "values_old", "returns")
    return {**{name: draw.normal(rng, *kept.shape, dtype=dtype) for name in names}, "mask": kept, "clip": 0.3}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _at(rng: torch.Generator, moved: float, note: str) -> Case:
    given = _given(rng, [[1]])
    sign = 1 if torch.rand((), generator=rng) < 0.5 else -1
    given["values"] = given["values_old"] + sign * moved
    given["returns"] = given["values_old"] + sign * (2 + torch.rand(1, 1, generator=rng))
    return _case(given, note)


def _near(rng: torch.Generator) -> list[Case]:
    return [_at(rng, 0.1, "V moved by 0.1 of 0.3 allowed: ½ (V − R)²")]


def _held(rng: torch.Generator) -> list[Case]:
    return [_at(rng, 1.0, "V moved by 1.0 towards R: it counts as if it had moved by 0.3")]


def _back(rng: torch.Generator) -> list[Case]:
    return [_at(rng, -1.0, "V moved by 1.0 away from R: it is not held, or it would never come back")]


def _values(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    return [_case(_given(rng, [[1, 1, 1]])), _case({**_given(rng, [[1] * T] * B), "clip": 0.15})]


def _masked(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1, 1, 1], [1, 0, 0]]), "four tokens count, and each weighs the same")]


def _nothing(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[0, 0]]), "no token counts: 0, and not NaN")]


def _far_and_near(rng: torch.Generator) -> dict[str, Any]:
    given = _given(rng, [[1, 1, 1]])
    moved = torch.tensor([[0.1, 1.0, -0.1]])  # by 0.3 at most; the second is held
    given["values"] = given["values_old"] + moved
    given["returns"] = given["values_old"] + 2 + torch.rand(1, 3, generator=rng)
    return given


def _slopes(values: Tensor, values_old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> dict[str, Tensor]:
    return {"values": (values - returns) * ((values - values_old).abs() <= clip) / mask.sum()}


def _gradients(rng: torch.Generator) -> list[Case]:
    given = _far_and_near(rng)
    names = ("values", "values_old", "returns")
    reads = f"whether a gradient reaches {', '.join(names)}"
    return [Case(given, torch.tensor([True, False, False]), "only V learns", gradients=names, reads=reads)]


_wrong = partial(parts.mistake, _reference)
_MAX = "torch.maximum((values - returns).square(), (near - returns).square())"
_NEAR = "values_old + (values - values_old).clamp(-clip, clip)"
_MEAN = "worse.where(mask, 0.0).sum() / mask.sum().clamp(min=1) / 2"

EXERCISE = exercise.Implement(
    name="value_clip_loss",
    lesson="12_ppo",
    number="12.8",
    title="A critic that moves in small steps",
    library=ppo.value_clip_loss,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch",
    statement="""\
The critic's loss has a clip as well; the report uses 0.15. Write `value_clip_loss(values, values_old, returns, mask,
clip)`, with ε = `clip`:

$$\\text{loss}=\\tfrac12\\operatorname{mean}\\,\\max\\bigl((V-R)^2,\\ (V_\\text{near}-R)^2\\bigr),
\\qquad V_\\text{near}=V_\\text{old}+\\operatorname{clip}(V-V_\\text{old},-\\varepsilon,\\varepsilon)$$

- `values`, `values_old` and `returns` have shape `(B, T)`: V of the critic as it is, V as it was when the answers were
  written, and R.
- `mask` is boolean `(B, T)`: the mean runs over its True positions, each with the same weight. Without any it is 0.
- Only `values` gets a gradient. The result is a tensor without a dimension.

For example, V = 1.5, V_old = 1 and R = 2 with ε = 0.2: V_near = 1.2, max(0.25, 0.64) / 2 = 0.32, which does not depend
on V any more.
""",
    why="A critic that runs ahead of its batch makes wild advantages in the next one.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "V moved past ε towards R. Which of the two squares is larger, and does it depend on V?",
        "Everything is (B, T) up to the mean.",
        "V near V_old; both squares; the larger one; its mean where mask is True; half of it.",
        "torch.maximum compares place by place; x.clamp(-clip, clip) keeps a difference small.",
    ),
    tests=(
        Test("near the old value it is half the square", _near),
        Test("a value that moved far towards its return is held", _held),
        Test("a value that moved away is not", _back),
        Test("agrees with plain loops", _values),
        Test("padding does not count", _masked),
        Test("a batch without tokens gives 0", _nothing),
        Test("a gradient reaches the values alone", _gradients),
        draw.slopes("a held value has no pull, the others V − R", ("values",), _far_and_near, _slopes),
        draw.types(
            "the result has the type of the values",
            ("values", "values_old", "returns"),
            lambda rng: _given(rng, [[1, 1]]),
        ),
    ),
    wrong_answers={
        "minimum": _wrong(
            "the smaller square is taken, so a value that moved away is held and one that ran ahead is not; "
            "take the larger one.",
            (_MAX, _MAX.replace("maximum", "minimum")),
        ),
        "near_alone": _wrong(
            "only the clipped value is used: one that moved away from its return then has no gradient back.",
            (_MAX, "(near - returns).square()"),
        ),
        "no_clip": _wrong("nothing is clipped.", (_MAX, "(values - returns).square()")),
        "no_half": _wrong("the half is missing.", (".clamp(min=1) / 2", ".clamp(min=1)")),
        "around_the_new": _wrong(
            "the old value is held near the new one; it is the new one that is held.",
            (_NEAR, "values + (values_old - values).clamp(-clip, clip)"),
        ),
        "as_a_ratio": _wrong(
            "the bounds are a share of the old value; values are held within ± ε of it, as a difference.",
            (_NEAR, "values_old + (values - values_old).clamp(-clip, clip) * values_old.abs()"),
        ),
        "value_clipped": _wrong(
            "the value itself is clipped to ± ε; its distance from the old one is.",
            (_NEAR, "values.clamp(-clip, clip)"),
        ),
        "no_square": _wrong(
            "distances are not squared.", (_MAX, "torch.maximum((values - returns).abs(), (near - returns).abs())")
        ),
        "padding_counts": _wrong("padding is counted in the mean.", (_MEAN, "worse.mean() / 2")),
        "all_counted": _wrong(
            "the sum is divided by the number of all positions; divide by that of the True ones.",
            ("mask.sum().clamp(min=1)", "mask.numel()"),
        ),
        "not_a_number": _wrong(
            "without any token the mean is 0/0, which is no number; give 0.", (".sum().clamp(min=1)", ".sum()")
        ),
        "row_means": _wrong(
            "that is the mean of the rows' means, in which the tokens of short rows weigh more.",
            (_MEAN, "(worse.where(mask, 0.0).sum(-1) / mask.sum(-1).clamp(min=1)).mean() / 2"),
        ),
        "old_learns": _wrong("a gradient reaches the old values; detach them.", ("values_old.detach()", "values_old")),
        "near_detached": _wrong(
            "the clipped value is detached, so a value near the old one has half of its pull; detach the old one.",
            ("(values - values_old).clamp(-clip, clip)", "(values - values_old).detach().clamp(-clip, clip)"),
        ),
        "clip_lost": _wrong(
            "`clip` has no effect: ε is 0.2 whatever it says.", ("clamp(-clip, clip)", "clamp(-0.2, 0.2)")
        ),
        "returns_learn": _wrong("a gradient reaches the returns; detach them.", ("returns.detach()", "returns")),
    },
)
