"""Exercise 12.7, advantages with a gradient. Mnih et al. 2016 (arXiv:1602.01783), section 4: A is a constant there."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(logp: Tensor, values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """The actor's loss: −mean log π · (R − V) over the True positions; the critic has a loss of its own elsewhere."""
    advantages = returns - values
    terms = (logp * advantages).where(mask, 0.0)
    return -terms.sum() / mask.sum().clamp(min=1)


def _loops(logp: Tensor, values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    rows = zip(*(x.flatten().double().tolist() for x in (logp, values, returns, mask)))
    terms = [-p * (r - v) for p, v, r, m in rows if m]
    return torch.tensor(sum(terms) / max(len(terms), 1), dtype=torch.float64).to(logp.dtype)


def _given(rng: torch.Generator, mask: list[list[int]]) -> dict[str, Tensor]:
    kept = torch.tensor(mask).bool()
    logp = -torch.rand(*kept.shape, generator=rng) - 0.2
    return {
        "logp": logp,
        "values": draw.normal(rng, *kept.shape),
        "returns": draw.normal(rng, *kept.shape),
        "mask": kept,
    }


def _case(given: dict[str, Tensor], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _actor(rng: torch.Generator) -> list[Case]:
    reads = "whether a gradient reaches logp"
    return [Case(_given(rng, [[1, 1]]), torch.tensor([True]), "the actor learns", gradients=("logp",), reads=reads)]


def _critic(rng: torch.Generator) -> list[Case]:
    names = ("logp", "values")
    note = "the critic learns from its own loss, and not from the actor's"
    reads = "whether a gradient reaches logp, values"
    return [Case(_given(rng, [[1, 1]]), torch.tensor([True, False]), note, gradients=names, reads=reads)]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1] * n] * 2)) for n in (2, 5)]


def _padded(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1, 1, 0], [1, 0, 0]]), "three tokens count")]


_CAUSES = {
    "a": Cause(
        "The loss has the wrong sign.",
        "−log π · A is right: going down makes actions with A above 0 likelier.",
    ),
    "b": Cause(
        "The mean divides by too many positions.", "it divides by the True ones, and by 1 where there are none."
    ),
    "c": Cause("The advantage carries a gradient to the critic, which is pushed as well as the actor."),
}

_wrong = partial(parts.mistake, broken)
_ADVANTAGES = "returns - values"

EXERCISE = exercise.Bug(
    name="12_attached",
    lesson="12_ppo",
    number="12.7",
    title="A critic that is flattered by its actor",
    broken=broken,
    also_closed=(_loops,),
    mend=((_ADVANTAGES, "(returns - values).detach()"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
logp = torch.tensor([[-0.7, -2.3]], requires_grad=True)
values = torch.tensor([[4.0, 4.0]], requires_grad=True)  # of a critic that is right
returns = torch.tensor([[4.0, 4.0]])
broken(logp, values, returns, torch.ones(1, 2, dtype=torch.bool)).backward()
print("nothing surprised anybody, and the critic's gradient should be None, but:", values.grad)""",
    statement=f"""\
Actor and critic are trained together. The actor's loss is `broken`; the critic's, ½ mean (V − R)², is added to it. The
critic's loss stops falling early, and its forecasts drift, the more the less likely the actions were.

- `logp`, `values` and `returns` are `(B, T)`: log π of the actions, V and R. `mask` is True at actions.
- The result is −mean log π · A over the True positions, with A = R − V.

Write `fixed(logp, values, returns, mask)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="−log π is never negative, so the actor's loss would fall if V rose, whether V is right or not.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "The loss is to fall. In which two ways can −log π · (R − V) fall?",
        "No shape changes.",
        "cut the advantages off from what they were computed of.",
        "tensor.detach() has the same numbers and no history.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("the critic gets no gradient from the actor's loss", _critic),
        Test("the actor does", _actor),
        Test("agrees with plain loops", _values),
        Test("padding does not count", _padded),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "actor_detached": _wrong(
            "now the actor gets no gradient either; cut off the advantages alone.",
            (_ADVANTAGES, "(returns - values).detach()"),
            ("(logp * advantages)", "(logp.detach() * advantages)"),
        ),
        "wrong_one_detached": _wrong(
            "now the actor learns nothing, and the critic is pushed still: it is the advantages that are cut off.",
            ("(logp * advantages)", "(logp.detach() * advantages)"),
        ),
        "sign_turned": _wrong(
            "now good actions become rarer; the sign was right.",
            (_ADVANTAGES, "(values - returns).detach()"),
        ),
        "no_critic": _wrong(
            "without V the gradient is gone, and the baseline too; keep R − V and detach it.",
            (_ADVANTAGES, "returns.detach()"),
        ),
        "mean_of_all": _wrong(
            "now padding is counted; the mean was right.",
            (_ADVANTAGES, "(returns - values).detach()"),
            ("mask.sum().clamp(min=1)", "mask.numel()"),
        ),
    },
)
