"""Exercise 13.2, how far the policy has strayed. Schulman 2020, http://joschu.net/blog/kl-approx.html."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import ppo
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(logp, logp_ref, kind="k1"):
    """The library's body, without its refusal of other kinds."""
    d = logp - logp_ref
    if kind == "k1":
        return d
    if kind == "k2":
        return d.square() / 2
    return torch.expm1(-d) + d


def _loops(logp: Tensor, logp_ref: Tensor, kind: str = "k1") -> Tensor:
    values = []
    for p, r in zip(logp.flatten().tolist(), logp_ref.flatten().tolist()):
        values.append({"k1": p - r, "k2": (p - r) ** 2 / 2, "k3": math.exp(r - p) - 1 + (p - r)}[kind])
    return torch.tensor(values, dtype=torch.float64).to(logp.dtype).reshape(logp.shape)


def _given(rng: torch.Generator, *shape: int, kind: str = "k1") -> dict[str, Any]:
    return {"logp": -draw.normal(rng, *shape).abs(), "logp_ref": -draw.normal(rng, *shape).abs(), "kind": kind}


def _kind(kind: str, rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 3, kind=kind), _given(rng, *draw.sizes(rng, 2), kind=kind)]
    return [Case(args, _loops(**args), f"kind={kind!r}") for args in given]


def _same(rng: torch.Generator) -> list[Case]:
    cases = []
    for kind in ppo.KINDS:
        given = _given(rng, 2, 3, kind=kind)
        given["logp_ref"] = given["logp"].clone()
        cases.append(Case(given, torch.zeros(2, 3), f"kind={kind!r}, and policy and reference agree"))
    return cases


def _plain(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 3)
    del given["kind"]
    return [Case(given, _loops(**given), "no kind is given, so it is k1")]


def _of_kind(kind: str, rng: torch.Generator) -> dict[str, Any]:
    return _given(rng, 2, 3, kind=kind)


def _slopes(logp: Tensor, logp_ref: Tensor, kind: str) -> dict[str, Tensor]:
    d = logp - logp_ref
    return {"logp": {"k1": torch.ones_like(d), "k2": d, "k3": 1 - (-d).exp()}[kind]}


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="kl_estimate",
    lesson="13_rlhf",
    number="13.2",
    title="How far has it strayed?",
    library=ppo.kl_estimate,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `kl_estimate(logp, logp_ref, kind="k1")`, for each token an estimate of KL(policy ‖ reference). The tokens were
sampled by the policy; `logp` is what it gave them, `logp_ref` what the reference gives them. With d = logp − logp_ref:

$$k_1=d,\\qquad k_2=\\tfrac12 d^2,\\qquad k_3=e^{-d}-1+d$$

- Both arguments have the same shape, any number of axes; so has the result.
- `kind` is "k1", "k2" or "k3".

For example, a token of probability 0.5 under the policy and 0.25 under the reference has d = log 2: k1 = 0.6931,
k2 = 0.2402, k3 = 0.1931.
""",
    why="RLHF takes β times k1 off the reward of every token; with the sign lost, it pays for babbling.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "If the policy finds a token likelier than the reference does, is the estimate above or below 0?",
        "One number for each token: all three kinds have the shape of logp.",
        "take the difference policy less reference; return it, half its square, or the third formula.",
        "torch.expm1(x) is eˣ − 1, also where x is tiny.",
    ),
    tests=(
        Test("k1 is the difference, policy first", partial(_kind, "k1")),
        Test("k2 is half its square", partial(_kind, "k2")),
        Test("k3 is e to the minus d, less 1, plus d", partial(_kind, "k3")),
        Test("two equal models have an estimate of 0", _same),
        Test("k1 is what one gets without asking", _plain),
        *(
            draw.slopes(f"the gradient of {kind} is that of its formula", ("logp",), partial(_of_kind, kind), _slopes)
            for kind in ppo.KINDS
        ),
    ),
    wrong_answers={
        "reference_first": _wrong(
            "the sign is lost: policy less reference, since the policy drew the tokens.",
            ("logp - logp_ref", "logp_ref - logp"),
        ),
        "not_halved": _wrong("k2 is half the square.", ("d.square() / 2", "d.square()")),
        "absolute": _wrong(
            "k1 keeps its sign; only the mean of many is not below 0.", ("return d\n", "return d.abs()\n")
        ),
        "half_squared": _wrong("the half is squared as well: it is a quarter.", ("d.square() / 2", "(d / 2).square()")),
        "k1_cut": _wrong("k1 may be below 0; only the mean of many is not.", ("return d\n", "return d.clamp(min=0)\n")),
        "one_added": _wrong("k3 subtracts 1; here it is added.", ("expm1(-d) + d", "exp(-d) + 1 + d")),
        "one_left": _wrong("k3 subtracts 1, so that it is 0 where d is.", ("torch.expm1(-d)", "torch.exp(-d)")),
        "k3_without_d": _wrong("k3 adds d; without it the estimate may be below 0.", ("expm1(-d) + d", "expm1(-d)")),
        "k3_minus_d": _wrong("k3 adds d; here it is subtracted.", ("expm1(-d) + d", "expm1(-d) - d")),
        "other_way": _wrong(
            "e is raised to d: that wants tokens of the reference. Here the policy drew them: raise e to −d.",
            ("expm1(-d) + d", "expm1(d) - d"),
        ),
        "always_k1": _wrong("kind has no effect.", ('if kind == "k1":', "if True:")),
        "k2_for_k3": _wrong("k3 gives k2.", ("return torch.expm1(-d) + d", "return d.square() / 2")),
        "detached": _wrong("no gradient reaches the policy.", ("logp - logp_ref", "(logp - logp_ref).detach()")),
    },
)
