"""Exercise 13.3, a reward for every token. Ziegler et al. 2019 (arXiv:1909.08593), section 2."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import shaping
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(scores, kl, mask, beta):
    """The library's body, on the CPU."""
    places = torch.arange(mask.shape[-1])
    last = mask.sum(dim=-1, keepdim=True) - 1
    penalty = (-beta * kl).where(mask, 0.0)
    return penalty + scores[:, None].where(places == last, 0.0)


def _loops(scores: Tensor, kl: Tensor, mask: Tensor, beta: float) -> Tensor:
    rows = torch.zeros_like(kl)
    for b, length in enumerate(mask.sum(-1).tolist()):
        for t in range(length):
            rows[b, t] = -beta * kl[b, t].item()
        rows[b, length - 1] += scores[b].item()
    return rows


def _given(rng: torch.Generator, B: int, N: int) -> dict[str, Any]:
    lengths = torch.randint(1, N, (B, 1), generator=rng)
    mask = torch.arange(N) < lengths
    kl = (0.3 + draw.normal(rng, B, N)).where(mask, 0.0)
    return {"scores": 2.0 + draw.normal(rng, B), "kl": kl, "mask": mask, "beta": 0.5}


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 3), _given(rng, *draw.sizes(rng, 2))]
    return [Case(args, _loops(**args)) for args in given]


def _no_penalty(rng: torch.Generator) -> list[Case]:
    args = {**_given(rng, 3, 5), "beta": 0.0}
    return [Case(args, _loops(**args), "beta is 0: only the score is left")]


def _no_score(rng: torch.Generator) -> list[Case]:
    args = {**_given(rng, 3, 5), "scores": torch.zeros(3)}
    return [Case(args, _loops(**args), "all scores are 0: only the penalty is left")]


def _padding(rng: torch.Generator) -> list[Case]:
    args = _given(rng, 3, 5)
    notes = {7.0: "kl is 7 at the padding behind the end token", math.nan: "kl is no number at the padding"}
    given = [({**args, "kl": args["kl"].where(args["mask"], there)}, note) for there, note in notes.items()]
    return [Case(each, _loops(**each), note) for each, note in given]


def _full(rng: torch.Generator) -> list[Case]:
    args = {**_given(rng, 2, 3), "mask": torch.ones(2, 3, dtype=torch.bool)}
    return [Case(args, _loops(**args), "answers that fill the row")]


_wrong = partial(parts.mistake, _reference)
_PENALTY = "penalty = (-beta * kl).where(mask, 0.0)"

EXERCISE = exercise.Implement(
    name="token_rewards",
    lesson="13_rlhf",
    number="13.3",
    title="A reward for every token",
    library=shaping.token_rewards,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `token_rewards(scores, kl, mask, beta)`, which turns one score an answer into a reward for each of its tokens.

- `scores` is `(B,)`, one for each answer; `kl` is `(B, N)`, an estimate for each token.
- `mask` is boolean `(B, N)`: True on the tokens of the answer, its end token included, which stand together at the
  left. Every row has at least one. Behind them is padding, where `kl` may hold anything, NaN too, and the reward is 0.
- Each token of the answer is paid −`beta` · kl; its *last* one gets the score on top.

For example, a score of 2, kl `[0.5, -0.25, 1.0, 9.0]`, three tokens of answer and beta 0.1 give
`[-0.05, 0.025, 1.9, 0.0]`.
""",
    why="PPO learns from a reward a step. A judge of poems gives one number, after the last character.",
    points=3,
    minutes=10,
    difficulty=2,
    hints=(
        "Where in a row does the end token stand, if the row has n True positions?",
        "scores (B,) must meet rewards (B, N): only one column of each row gets its score.",
        "penalty where the mask is True, 0 elsewhere; add the score where the position is the count of True less 1.",
        "compare torch.arange(N) with the row's count less 1, of shape (B, 1).",
    ),
    tests=(
        Test("agrees with plain loops", _values),
        Test("without a penalty only the end token is paid", _no_penalty),
        Test("without a score every token pays its penalty", _no_score),
        Test("padding pays nothing, whatever kl says there", _padding),
        Test("an answer without padding gets its score in the last column", _full),
    ),
    wrong_answers={
        "sign_lost": _wrong("straying is paid here; it must cost.", ("-beta * kl", "beta * kl")),
        "beta_lost": _wrong("beta has no effect.", ("-beta * kl", "-kl")),
        "squared": _wrong("kl is squared; k1 is taken as it is.", ("-beta * kl", "-beta * kl.square()")),
        "in_the_last_column": _wrong(
            "the score stands in the last column, where shorter answers have padding.",
            ("mask.sum(dim=-1, keepdim=True) - 1", "mask.shape[-1] - 1"),
        ),
        "on_the_padding": _wrong(
            "the score stands one position too late, on the padding.", ("keepdim=True) - 1", "keepdim=True)")
        ),
        "one_too_early": _wrong("the score stands one position too early.", ("keepdim=True) - 1", "keepdim=True) - 2")),
        "at_the_start": _wrong("the score stands at the first token.", ("places == last", "places == 0")),
        "everywhere": _wrong(
            "every token gets the whole score, so long answers are paid more.",
            ("scores[:, None].where(places == last, 0.0)", "scores[:, None].where(mask, 0.0)"),
        ),
        "shared_out": _wrong(
            "the score is shared out among the tokens; it belongs to the last one.",
            ("scores[:, None].where(places == last, 0.0)", "(scores[:, None] / (last + 1)).where(mask, 0.0)"),
        ),
        "padding_pays": _wrong("padding is made to pay as well.", ("(-beta * kl).where(mask, 0.0)", "-beta * kl")),
        "times_mask": _wrong(
            "the padding is multiplied by 0, and 0 times NaN is NaN; choose with x.where(mask, 0.0).",
            ("(-beta * kl).where(mask, 0.0)", "-beta * kl * mask"),
        ),
        "paid_at_the_end": _wrong(
            "the whole penalty stands at the end; each token pays its own.",
            (_PENALTY, "penalty = (-beta * kl).where(mask, 0.0).sum(-1, keepdim=True).where(places == last, 0.0)"),
        ),
        "beta_on_both": _wrong(
            "beta multiplies the score as well; only straying is weighted.",
            ("scores[:, None]", "beta * scores[:, None]"),
        ),
        "never_paid_back": _wrong(
            "the absolute value makes a token cost that the reference finds likelier; k1 pays it back.",
            ("-beta * kl", "-beta * kl.abs()"),
        ),
        "in_the_longest": _wrong(
            "every score stands where the longest answer ends; each row has an end of its own.",
            ("mask.sum(dim=-1, keepdim=True) - 1", "mask.sum(dim=-1).max() - 1"),
        ),
        "in_its_place": _wrong(
            "the end token pays no penalty: the score is added to it, and does not replace it.",
            ("(-beta * kl).where(mask, 0.0)", "(-beta * kl).where(mask & (places != last), 0.0)"),
        ),
    },
)
