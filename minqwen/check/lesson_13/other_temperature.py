"""Exercise 13.1, old log-probabilities at another temperature. Schulman et al. 2017 (arXiv:1707.06347), equation 7."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(logits_old: Tensor, logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """How much likelier each token is to the policy than to the one that drew it, at a temperature."""
    logp_old = (logits_old / temperature).log_softmax(dim=-1)
    logp = logits.log_softmax(dim=-1)
    log_ratio = (logp - logp_old).gather(-1, tokens[..., None])
    return log_ratio.squeeze(-1).exp()


def _loops(logits_old: Tensor, logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    out = torch.zeros(tokens.shape, dtype=torch.float64)
    for b in range(tokens.shape[0]):
        for t in range(tokens.shape[1]):
            new, old = ((each[b, t].double() / temperature).exp() for each in (logits, logits_old))
            out[b, t] = (new / new.sum())[tokens[b, t]] / (old / old.sum())[tokens[b, t]]
    return out.to(logits.dtype)


def _given(rng: torch.Generator, B: int, N: int, V: int) -> dict[str, Tensor | float]:
    old = draw.normal(rng, B, N, V)
    new, tokens = old + 0.5 * draw.normal(rng, B, N, V), torch.randint(0, V, (B, N), generator=rng)
    return {"logits_old": old, "logits": new, "tokens": tokens, "temperature": 0.5}


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 2, 3), _given(rng, *draw.sizes(rng, 3))]
    return [Case(args, _loops(**args)) for args in given]


def _same(rng: torch.Generator) -> list[Case]:
    args = _given(rng, 2, 3, 5)
    args |= {"logits": args["logits_old"].clone()}
    return [Case(args, torch.ones(2, 3), "the policy has not changed yet")]


_CAUSES = {
    "a": Cause(
        "Old log-probabilities are taken at the temperature of drawing, new ones at 1: two different distributions.",
    ),
    "b": Cause(
        "Dropout is on, so two passes of one model differ.",
        "the logits are given here, and are the same numbers twice; no pass is made.",
    ),
    "c": Cause(
        "The ratio is turned round: it must be old over new.",
        "turned round it would still not be 1 where nothing has changed.",
    ),
}

_wrong = partial(parts.mistake, broken)
_MEND = ("logp = logits.log_softmax", "logp = (logits / temperature).log_softmax")

EXERCISE = exercise.Bug(
    name="13_other_temperature",
    lesson="13_rlhf",
    number="13.1",
    title="Clipped before it has moved",
    broken=broken,
    also_closed=(_loops,),
    mend=(_MEND,),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
logits = torch.tensor([[[2.0, 0.0, -1.0]]])
print("before its first update a policy has a ratio of 1, but:", broken(logits, logits, torch.tensor([[1]]), 0.7))""",
    statement=f"""\
A policy answers at a temperature of 0.7. In the very first minibatch, before any update, a third of its tokens are
already clipped. `broken` makes the ratios.

- `logits_old` and `logits` are `(B, N, V)`: of the policy that drew the `tokens`, `(B, N)`, and of the policy now.
- The result should be π(token) / π_old(token), `(B, N)`, where both are softmaxes at `temperature`.

Write `fixed(logits_old, logits, tokens, temperature)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Rollouts are often made by other code than updates; one check finds such slips: the first ratio is 1.",
    points=2,
    minutes=6,
    difficulty=2,
    hints=(
        "What is the ratio of a policy to itself?",
        "Both log-probabilities are (B, N, V) before gather picks one of V.",
        "divide both logits by the temperature, then take both log-softmaxes.",
        "the second line of the body lacks what the first one has.",
    ),
    causes=_CAUSES,
    cause="a",
    tests=(
        Test("a policy that has not changed has a ratio of 1", _same),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "both_at_one": _wrong(
            "now both are at temperature 1, from which these tokens were not drawn.",
            ("(logits_old / temperature)", "logits_old"),
        ),
        "turned_round": _wrong("new over old, not old over new.", _MEND, ("logp - logp_old", "logp_old - logp")),
        "after_the_softmax": _wrong(
            "log-probabilities divided by the temperature add up to 1 no more; divide the logits, before the softmax.",
            ("(logits_old / temperature).log_softmax(dim=-1)", "logits_old.log_softmax(dim=-1) / temperature"),
            ("logits.log_softmax(dim=-1)\n    log", "logits.log_softmax(dim=-1) / temperature\n    log"),
        ),
        "no_exp": _wrong("that is the logarithm of the ratio.", _MEND, (".squeeze(-1).exp()", ".squeeze(-1)")),
        "of_ones": _wrong(
            "it is 1 whatever the policies are: the new logits stand on both sides.",
            _MEND,
            ("(logits_old / temperature)", "(logits / temperature)"),
        ),
        "times": _wrong(
            "logits are divided by the temperature.", ("logp = logits.log", "logp = (logits * temperature).log")
        ),
    },
)
