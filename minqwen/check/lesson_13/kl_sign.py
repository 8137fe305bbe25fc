"""Exercise 13.4, a policy that is paid for straying. Qwen Technical Report (arXiv:2309.16609), section 3.2.2."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(scores: Tensor, logp: Tensor, logp_ref: Tensor, beta: float) -> Tensor:
    """The rewards of answers that all fill their row: a penalty a token, and the score at the last one."""
    rewards = beta * (logp - logp_ref)
    at_the_end = torch.zeros_like(rewards)
    at_the_end[:, -1] = scores
    return rewards + at_the_end


def _loops(scores: Tensor, logp: Tensor, logp_ref: Tensor, beta: float) -> Tensor:
    rows = torch.zeros_like(logp)
    for b, (row, ref) in enumerate(zip(logp.tolist(), logp_ref.tolist())):
        for t, (p, r) in enumerate(zip(row, ref)):
            rows[b, t] = beta * (r - p) + (scores[b].item() if t == len(row) - 1 else 0.0)
    return rows


def _given(rng: torch.Generator, B: int, N: int) -> dict[str, Tensor | float]:
    logp, logp_ref = (-draw.normal(rng, B, N).abs() for _ in range(2))
    return {"scores": 1.0 + draw.normal(rng, B), "logp": logp, "logp_ref": logp_ref, "beta": 0.5}


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 3), _given(rng, *draw.sizes(rng, 2))]
    return [Case(args, _loops(**args)) for args in given]


def _strays(rng: torch.Generator) -> list[Case]:
    args = _given(rng, 2, 3)
    args |= {"logp": args["logp_ref"] + 1.0, "scores": torch.zeros(2), "beta": 0.25}
    return [Case(args, torch.full((2, 3), -0.25), "a policy one nat surer than the reference, and a score of 0")]


_CAUSES = {
    "a": Cause(
        "The score is given to the wrong token.",
        "these answers fill their row, so the last column is the end token, and it has the score.",
    ),
    "b": Cause("The penalty has the wrong sign: what the reference would not say is paid for."),
    "c": Cause(
        "β is too small to hold the policy back.",
        "a larger β makes it worse here: the further it strays, the more it is paid.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="13_kl_sign",
    lesson="13_rlhf",
    number="13.4",
    title="The further, the better",
    broken=broken,
    also_closed=(_loops,),
    mend=(("rewards = beta * (logp", "rewards = -beta * (logp"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
babble, reference = torch.tensor([[-0.1, -0.1]]), torch.tensor([[-5.0, -5.0]])
print("an answer of score 0 that the reference would never give should cost, but:")
print(broken(torch.zeros(1), babble, reference, beta=0.04))""",
    statement=f"""\
A run of RLHF looks healthy: its reward rises. But KL rises from the first iteration on, faster with β = 0.2 than with
β = 0.04, and soon every poem consists of one character. `broken` makes the rewards.

- `scores` is `(B,)`; `logp` and `logp_ref` are `(B, N)`: what policy and reference give to each token.
  No row has padding.
- The result should be −β · k1 at each token, and the score on top at the last.

Write `fixed(scores, logp, logp_ref, beta)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="With this sign wrong a run looks well for a while; only the KL curve shows it.",
    points=2,
    minutes=6,
    difficulty=2,
    hints=(
        "Which of the two, policy or reference, gives the larger log-probability to what a strayed policy says?",
        "All of rewards is (B, N); only its last column should hold the score.",
        "the penalty is minus beta times (policy less reference).",
        "one sign, in the first line of the body.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("agrees with plain loops", _values),
        Test("straying costs", _strays),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "never_paid": _wrong(
            "the absolute value makes a token cost that the reference finds likelier; k1 pays it back.",
            ("rewards = beta * (logp - logp_ref)", "rewards = -beta * (logp - logp_ref).abs()"),
        ),
        "larger_beta": _wrong(
            "a larger β pays more for straying, as long as the sign is wrong.",
            ("rewards = beta * (logp", "rewards = 5 * beta * (logp"),
        ),
        "score_moved": _wrong(
            "the score has left the end token, where it was right.",
            ("rewards = beta * (logp", "rewards = -beta * (logp"),
            ("at_the_end[:, -1]", "at_the_end[:, 0]"),
        ),
        "never_negative": _wrong(
            "a token that the reference finds likelier is not paid back; k1 may be negative.",
            ("rewards = beta * (logp - logp_ref)", "rewards = -beta * (logp - logp_ref).clamp(min=0)"),
        ),
        "score_turned": _wrong(
            "now the score has the wrong sign.",
            ("rewards = beta * (logp", "rewards = -beta * (logp"),
            ("= scores", "= -scores"),
        ),
        "beta_lost": _wrong("beta has no effect.", ("rewards = beta * (logp", "rewards = -1.0 * (logp")),
    },
)
