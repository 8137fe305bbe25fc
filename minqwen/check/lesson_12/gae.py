"""Exercise 12.1, how much better than expected. Schulman et al. 2015 (arXiv:1506.02438), equations 11 to 16."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import gae as library
from minqwen.align.gae import Estimate
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(rewards, values, gamma, lam, mask):
    """The library's body, without its check of the arguments."""
    rewards, values = rewards.detach().where(mask, 0.0), values.detach().where(mask, 0.0)
    advantages = torch.zeros_like(rewards)
    ahead = next_value = rewards[:, 0] * 0.0
    for t in reversed(range(rewards.shape[-1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        ahead = (delta + gamma * lam * ahead).where(mask[:, t], 0.0)
        next_value = values[:, t]
        advantages[:, t] = ahead
    return Estimate(advantages, advantages + values)


def _loops(rewards: Tensor, values: Tensor, gamma: float, lam: float, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Σ (γλ)^k δ[t + k] up to the first False position, from the definition."""
    T, rows = rewards.shape[-1], []
    for r, v, m in zip(rewards.double().tolist(), values.double().tolist(), mask.tolist()):
        ends = [next((s for s in range(t, T) if not m[s]), T) for t in range(T)]
        deltas = [r[t] + gamma * (v[t + 1] if t + 1 < ends[t] else 0.0) - v[t] for t in range(T)]
        rows.append([sum((gamma * lam) ** (s - t) * deltas[s] for s in range(t, ends[t])) for t in range(T)])
    advantages = torch.tensor(rows, dtype=torch.float64)
    returns = (advantages + values.double()).where(mask, 0.0)
    return advantages.to(values.dtype), returns.to(values.dtype)


def _given(
    rng: torch.Generator, mask: Sequence[Sequence[int]] = ((1, 1, 1),), gamma: float = 0.9, lam: float = 0.5
) -> dict[str, Any]:
    kept = torch.tensor(mask).bool()
    rewards, values = (draw.normal(rng, *kept.shape) for _ in range(2))
    return {"rewards": rewards, "values": values, "gamma": gamma, "lam": lam, "mask": kept}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _values(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    return [_case(_given(rng, [[1, 1, 1]])), _case(_given(rng, [[1] * T] * B, 0.99, 0.95))]


def _padded(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1, 0], [1, 0, 0]])
    note = "answers of 2 and 1 tokens; what stands in the padding is not looked at"
    nothing = {name: given[name].where(given["mask"], math.nan) for name in ("rewards", "values")}
    return [_case(given, note), _case(given | nothing, "in the padding stands what is no number")]


def _constant(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1], [1, 1]])
    note = "an advantage is a number that the policy is told: no gradient reaches the critic through it"
    names = ("values", "rewards")
    reads = "whether a gradient reaches values, rewards"
    return [Case(given, torch.tensor([False, False]), note, gradients=names, reads=reads)]


_wrong = partial(parts.mistake, _reference)
_DELTA = "rewards[:, t] + gamma * next_value - values[:, t]"

EXERCISE = exercise.Implement(
    name="gae",
    lesson="12_ppo",
    number="12.1",
    title="How much better than expected",
    library=library.gae,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch\n\nfrom minqwen.align.gae import Estimate",
    statement="""\
A critic foretold, before each action, how much reward would still come. Write
`gae(rewards, values, gamma, lam, mask)`, generalised advantage estimation, with γ = `gamma` and λ = `lam`. γ discounts:
a reward one step later counts γ times as much. δ is how much one step surprised the critic:

$$\\delta_t=r_t+\\gamma V_{t+1}-V_t,\\qquad A_t=\\delta_t+\\gamma\\lambda A_{t+1},\\qquad R_t=A_t+V_t$$

- `rewards` and `values` have shape `(B, T)`: r and V at each action of each row.
- `mask` is boolean `(B, T)`. **A False position ends what stands before it**: after the last True one V and A are 0.
  Padding is False, and so is the place between two episodes of one row. What rewards and values hold there may be
  anything, NaN too; both results are 0 there.
- Return `Estimate(advantages, returns)` or a plain tuple of the two, each `(B, T)`.
- Neither carries a gradient: an advantage is a number that the policy is told.

For example, rewards `[[0, 0, 0, 1]]` and values `[[0, 0, 0, 1]]` with γ = 0.9 and λ = 0.95: δ is `[0, 0, 0.9, 0]`, A
`[0.658, 0.7695, 0.9, 0]` and R `[0.658, 0.7695, 0.9, 1]`.
""",
    why="Every step of PPO, and of RLHF, is weighted by these numbers; λ trades the noise of rewards for the critic's "
    "errors.",
    points=4,
    minutes=18,
    difficulty=3,
    hints=(
        "Which A do you need before you can compute A at position t? In which direction must the loop run?",
        "Two numbers a row travel with the loop, A and V of the position after: each (B,).",
        "detach both and put 0 where mask is False; from the last position to the first: delta, then A, then put 0 "
        "where mask is False at t; remember A and V for the position before.",
        "x.where(mask, 0.0) keeps x where mask is True; reversed(range(T)) counts down.",
    ),
    tests=(
        Test("a single action", lambda rng: [_case(_given(rng, [[1]]), "its reward, less what was expected")]),
        Test(
            "with λ = 0 the critic is asked after one step",
            lambda rng: [_case(_given(rng, [[1, 1]], lam=0.0), "A is δ")],
        ),
        Test("with λ = 1 all rewards count", lambda rng: [_case(_given(rng, [[1, 1, 1]], 1.0, 1.0), "and with γ = 1")]),
        Test("agrees with plain loops", _values),
        Test("padding is not looked at", _padded),
        Test("a False position parts two episodes", lambda rng: [_case(_given(rng, [[1, 0, 1]]), "two episodes")]),
        Test("no gradient reaches the critic", _constant),
        draw.types("the result has the type of the values", ("rewards", "values"), _given, draw.DOUBLE),
    ),
    wrong_answers={
        "lam_lost": _wrong("λ has no effect; A[t+1] counts γλ.", ("gamma * lam * ahead", "gamma * ahead")),
        "gamma_lost_in_sum": _wrong("A[t+1] counts λ alone; it counts γλ.", ("gamma * lam * ahead", "lam * ahead")),
        "gamma_lost_in_delta": _wrong("V[t+1] is not discounted in δ.", ("gamma * next_value", "next_value")),
        "no_next_value": _wrong("δ lacks γ V[t+1], what is still expected.", (_DELTA, "rewards[:, t] - values[:, t]")),
        "no_critic": _wrong("V is not taken off: that is a return.", (_DELTA, "rewards[:, t] + gamma * next_value")),
        "last_goes_on": _wrong(
            "the last V stands for what comes after the last action; there V is 0.",
            ("ahead = next_value = rewards[:, 0] * 0.0", "ahead, next_value = rewards[:, 0] * 0.0, values[:, -1]"),
        ),
        "turned_round": _wrong(
            "the sign is turned: better than expected is above 0.", (_DELTA, f"values[:, t] - ({_DELTA[:-15]})")
        ),
        "forwards": _wrong(
            "the loop runs forwards, so A[t] is built on the past; it needs A[t+1].",
            ("reversed(range(rewards.shape[-1]))", "range(rewards.shape[-1])"),
        ),
        "own_value_next": _wrong(
            "V[t] is used as V[t+1]: remember it only after δ is computed.",
            (_DELTA, "rewards[:, t] + gamma * values[:, t] - values[:, t]"),
        ),
        "returns_are_advantages": _wrong(
            "the returns are the advantages again; add the values.", ("advantages + values", "advantages.clone()")
        ),
        "returns_of_rewards": _wrong(
            "the returns are A + r, not A + V.", ("advantages + values", "advantages + rewards")
        ),
        "runs_on": _wrong(
            "the sum runs on through a False position; what stands before it ends there.",
            ("(delta + gamma * lam * ahead).where(mask[:, t], 0.0)", "delta + gamma * lam * ahead"),
        ),
        "runs_on_to_the_left": _wrong(
            "the sum runs on through a False position; what stands before it ends there.",
            ("(delta + gamma * lam * ahead).where(mask[:, t], 0.0)", "delta + gamma * lam * ahead"),
            ("advantages, advantages + values", "advantages.where(mask, 0.0), (advantages + values).where(mask, 0.0)"),
        ),
        "times_mask": _wrong(
            "the padding is multiplied by 0, and 0 times NaN is NaN; choose with x.where(mask, 0.0).",
            ("rewards.detach().where(mask, 0.0)", "rewards.detach() * mask"),
            ("(delta + gamma * lam * ahead).where(mask[:, t], 0.0)", "(delta + gamma * lam * ahead) * mask[:, t]"),
            ("values.detach().where(mask, 0.0)", "values.detach() * mask"),
        ),
        "wraps_round": _wrong(
            "after the last action V is taken from the first one; there it is 0.",
            ("next_value = values[:, t]", "next_value = values[:, t - 1]"),
            (_DELTA, "rewards[:, t] + gamma * values[:, (t + 1) % values.shape[-1]] - values[:, t]"),
        ),
        "padding_in_returns": _wrong(
            "the returns hold the values of the padding; they are 0 there.",
            ("advantages + values", "advantages + _old.detach()"),
            ("rewards, values = ", "_old, rewards, values = values, "),
        ),
        "gamma_for_lam": _wrong("V[t+1] is discounted by λ; γ does that.", ("gamma * next_value", "lam * next_value")),
        "exchanged": _wrong(
            "advantages and returns are exchanged.",
            ("(advantages, advantages + values)", "(advantages + values, advantages)"),
        ),
        "padding_is_read": _wrong(
            "the value in the padding is taken for V after the last action; there V is 0.",
            ("values.detach().where(mask, 0.0)", "values.detach()"),
            ("advantages + values", "advantages + values.where(mask, 0.0)"),
        ),
        "attached": _wrong(
            "a gradient reaches the critic through the advantages; detach the values.",
            ("values.detach().where", "values.where"),
        ),
        "rewards_attached": _wrong(
            "the rewards carry a gradient; detach them.", ("rewards.detach().where", "rewards.where")
        ),
    },
)
