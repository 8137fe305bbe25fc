"""Exercise 1.4, a mask that comes too late. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(scores: Tensor, mask: Tensor) -> Tensor:
    """The softmax of each row of scores over the keys that the mask allows."""
    shares = scores.softmax(dim=-1)
    return shares.masked_fill(~mask, 0.0)


def _loops(scores: Tensor, mask: Tensor) -> Tensor:
    rows = []
    for row, allowed in zip(scores.tolist(), mask.tolist()):
        shares = [math.exp(score) if may else 0.0 for score, may in zip(row, allowed)]
        rows.append([share / sum(shares) for share in shares])
    return torch.tensor(rows, dtype=torch.float64).to(scores.dtype)


def _given(rng: torch.Generator, T: int, S: int) -> dict[str, Tensor]:
    return {"scores": draw.normal(rng, T, S), "mask": draw.mask(rng, T, S)}


def _sums(rng: torch.Generator) -> list[Case]:
    return [Case(_given(rng, 2, 3), torch.ones(2), read=lambda out: out.sum(dim=-1), reads="the sum of each row")]


def _zeros(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 3)
    hidden = ~given["mask"]
    expected = torch.zeros(int(hidden.sum()))
    return [Case(given, expected, read=lambda out: out[hidden], reads="the weights of hidden keys")]


def _loud(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 3)
    loud = given["scores"].masked_fill(~given["mask"], 200.0)
    return [Case({**given, "scores": loud}, _loops(**given), "every hidden score is 200")]


def _values(rng: torch.Generator) -> list[Case]:
    T, S = draw.sizes(rng, 2)
    given = [_given(rng, 2, 3), _given(rng, T, S)]
    return [Case(args, _loops(**args)) for args in given]


_CAUSES = {
    "a": Cause(
        "The scores are too large for the softmax.",
        "however large the scores are, a softmax sums to 1; the rows lose weight after it.",
    ),
    "b": Cause("The softmax has shared out weight to the hidden keys, and setting it to 0 afterwards throws it away."),
    "c": Cause(
        "The mask is read the wrong way round.",
        "the zeros stand where the mask is False, which is where they belong; the other weights are what is wrong.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="01_mask_after_softmax",
    lesson="01_attention",
    number="1.4",
    title="A mask that comes too late",
    broken=broken,
    also_closed=(_loops,),
    mend=(
        ("shares = scores.softmax(dim=-1)", 'hidden = scores.masked_fill(~mask, float("-inf"))'),
        ("return shares.masked_fill(~mask, 0.0)", "return hidden.softmax(dim=-1)"),
    ),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
scores = torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
weights = broken(scores, torch.ones(3, 3, dtype=torch.bool).tril())
print("each row should sum to 1, but:", weights.sum(dim=-1))""",
    statement=f"""\
`broken(scores, mask)` should turn scores into attention weights: scores and result are `(T, S)`, the mask is boolean
`(T, S)`, True where a key may be attended to. Hidden keys must have weight 0, however large their scores, and every
row must sum to 1. Every query may see at least one key. The zeros are there, but look at the sums.

Write `fixed(scores, mask)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Rows that sum to less than 1 make early tokens, which see little, quieter than late ones.",
    points=3,
    minutes=10,
    difficulty=2,
    hints=(
        "The first row may see one key only. Which weight should that key have, and which has it?",
        "scores, mask and weights are all (T, S); the sum to look at runs over the keys, the last axis.",
        "scores; hide the keys in the scores; softmax; nothing after it.",
        "Before the softmax, scores.masked_fill(~mask, ...) with a number x for which eˣ = 0.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("every row sums to 1", _sums),
        Test("hidden keys have weight 0", _zeros),
        Test("the weights agree with plain loops", _values),
        Test("a hidden score may be as large as it likes", _loud),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "divided_afterwards": _wrong(
            "dividing by what is left works until a hidden key has taken all the weight; hide keys before the softmax.",
            (
                "return shares.masked_fill(~mask, 0.0)",
                "shares = shares.masked_fill(~mask, 0.0)\n    return shares / shares.sum(-1, True)",
            ),
        ),
        "zero_for_hidden": _wrong(
            "hidden scores are set to 0 before the softmax, but e⁰ = 1 still takes a share; which number takes none?",
            ("shares = scores.softmax(dim=-1)", "hidden = scores.masked_fill(~mask, 0.0)"),
            ("return shares.masked_fill(~mask, 0.0)", "return hidden.softmax(dim=-1)"),
        ),
        "other_way_round": _wrong(
            "now the mask comes before the softmax, but it hides what it should allow: True = may be attended to.",
            ("shares = scores.softmax(dim=-1)", 'hidden = scores.masked_fill(mask, float("-inf"))'),
            ("return shares.masked_fill(~mask, 0.0)", "return hidden.softmax(dim=-1)"),
        ),
    },
)
