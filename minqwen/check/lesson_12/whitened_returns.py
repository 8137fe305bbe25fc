"""Exercise 12.2, whitening before the returns. Huang et al. 2024 (arXiv:2403.17031), on the order of the two."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(advantages: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What the policy is told, and what the critic is to foretell; both 0 where mask is False."""
    count = mask.sum()
    mean = advantages.where(mask, 0.0).sum() / count
    variance = (advantages - mean).where(mask, 0.0).square().sum() / count
    advantages = (advantages - mean) / (variance + 1e-8).sqrt()
    returns = advantages + values
    return advantages.where(mask, 0.0), returns.where(mask, 0.0)


def _loops(advantages: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    kept = advantages[mask].double().tolist()
    mean = sum(kept) / len(kept)
    spread = (sum((a - mean) ** 2 for a in kept) / len(kept) + 1e-8) ** 0.5
    white = ((advantages.double() - mean) / spread).where(mask, 0.0)
    returns = (advantages.double() + values.double()).where(mask, 0.0)
    return white.to(values.dtype), returns.to(values.dtype)


def _given(rng: torch.Generator, mask: list[list[int]]) -> dict[str, Tensor]:
    kept = torch.tensor(mask).bool()
    return {
        "advantages": 0.2 * draw.normal(rng, *kept.shape) + 0.3,
        "values": draw.normal(rng, *kept.shape),
        "mask": kept,
    }


def _case(given: dict[str, Tensor], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _foretold(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1]])
    given["values"] = torch.full((1, 2), 5.0) - given["advantages"]
    return [_case(given, "5 points came after either action, whatever the critic had said")]


def _told(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1, 1]])
    white = _loops(**given)[0]
    return [Case(given, white, "what the policy is told", read=lambda out: out[0], reads="the advantages")]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1] * n] * 2)) for n in (2, 5)]


def _padded(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1, 1, 0], [1, 0, 0]]), "three tokens count")]


_CAUSES = {
    "a": Cause(
        "The advantages are whitened over the whole batch, not over each row.",
        "the whole batch is right: a good answer must stay better than a bad one.",
    ),
    "b": Cause("The returns are built from whitened advantages, so they are no sums of rewards any more."),
    "c": Cause(
        "The returns should be whitened as well.",
        "the critic foretells rewards on their own scale; V is used on that scale by the next batch.",
    ),
}

_wrong = partial(parts.mistake, broken)
_RETURNS = "    returns = advantages + values\n"
_WHITE = "    advantages = (advantages - mean) / (variance + 1e-8).sqrt()\n"

EXERCISE = exercise.Bug(
    name="12_whitened_returns",
    lesson="12_ppo",
    number="12.2",
    title="A critic that never learns what an answer is worth",
    broken=broken,
    also_closed=(_loops,),
    mend=((_WHITE + _RETURNS, _RETURNS + _WHITE),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
worth = torch.tensor([[5.0, 5.0]])  # points that came in truth after each action
said = torch.tensor([[4.9, 4.7]])  # what the critic had foretold: close
_, returns = broken(worth - said, said, torch.ones(1, 2, dtype=torch.bool))
print("the critic should be taught 5.0 and 5.0, but:", returns)""",
    statement=f"""\
Advantages are whitened, so that steps have one size. Training runs, but the critic explains nothing of its returns, run
after run, and with rewards of another scale it is worse. `broken` prepares both:

- `advantages` are those of `gae`, `values` what the critic said, `mask` True at actions; all `(B, T)`.
- The policy is told white advantages: mean 0, spread 1 over the True positions.
- The critic is taught the returns A + V: what really came.

Write `fixed(advantages, values, mask)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="No error is raised, the policy still learns, only the critic is taught numbers that mean nothing.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "gae gives A = R − V. With which A does A + V give R again?",
        "Nothing changes its shape; only the order of two lines matters.",
        "returns first, from the advantages as they came; then whiten.",
        "Two names help: one for the raw advantages, one for the white ones.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("the critic is taught what came", _foretold),
        Test("the policy is told white advantages", _told),
        Test("agrees with plain loops", _values),
        Test("padding does not count", _padded),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "not_whitened": _wrong(
            "now the advantages are not whitened at all; only the returns want the raw ones.", (_WHITE, "")
        ),
        "by_rows": _wrong(
            "each row is whitened by itself now; the whole batch has one mean and one spread.",
            ("count = mask.sum()", "count = mask.sum(-1, keepdim=True)"),
            (".where(mask, 0.0).sum() /", ".where(mask, 0.0).sum(-1, keepdim=True) /"),
            (".square().sum()", ".square().sum(-1, keepdim=True)"),
            (_WHITE + _RETURNS, _RETURNS + _WHITE),
        ),
        "returns_whitened": _wrong(
            "the returns are divided by the spread too; they stay on the scale of the rewards.",
            (_WHITE + _RETURNS, _RETURNS + _WHITE + "    returns = returns / (variance + 1e-8).sqrt()\n"),
        ),
        "mean_lost": _wrong(
            "multiplied by the spread again they lack the mean; the returns want A as it came.",
            ("advantages + values", "advantages * (variance + 1e-8).sqrt() + values"),
        ),
        "centred_only": _wrong(
            "now the spread of the advantages is not 1; only the returns want the raw ones.",
            (_WHITE + _RETURNS, _RETURNS + "    advantages = advantages - mean\n"),
        ),
        "padding_kept": _wrong(
            "the padding of the returns is not 0 any more.",
            (_WHITE + _RETURNS, _RETURNS + _WHITE),
            ("returns.where(mask, 0.0)", "returns"),
        ),
        "mean_added": _wrong(
            "adding the mean again leaves the spread at 1; the returns want A as it came.",
            ("advantages + values", "advantages + mean + values"),
        ),
    },
)
