"""Exercise 5.2, a top-k without effect. Fan et al. 2018 (arXiv:1805.04833), section 5.4."""

import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(logits: Tensor, k: int) -> Tensor:
    """The probabilities to draw from when only the k likeliest tokens of each row may be drawn."""
    least = logits.topk(k, dim=-1).values[:, -1:]
    logits.masked_fill(logits < least, float("-inf"))
    return logits.softmax(dim=-1)


def _loops(logits: Tensor, k: int) -> Tensor:
    rows = []
    for row in logits.tolist():
        kept = [math.exp(x - max(row)) if x >= sorted(row)[-k] else 0.0 for x in row]
        rows.append([x / sum(kept) for x in kept])
    return torch.tensor(rows, dtype=torch.float64).to(logits.dtype)


def _given(rng: torch.Generator, B: int, V: int, k: int) -> dict:
    return {"logits": draw.normal(rng, B, V), "k": k}


def _hidden(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 2, 5, 2)
    reads = "how many tokens of each row have a probability above 0"
    return [Case(given, torch.tensor([2, 2]), read=lambda out: (out > 0).sum(dim=-1), reads=reads)]


def _sums(rng: torch.Generator) -> list[Case]:
    return [Case(_given(rng, 2, 5, 3), torch.ones(2), read=lambda out: out.sum(dim=-1), reads="the sum of each row")]


def _values(rng: torch.Generator) -> list[Case]:
    B, V = draw.sizes(rng, 2)
    cases = [_given(rng, 1, 3, 2), _given(rng, B, V, min(2, V)), _given(rng, 2, 5, 1), _given(rng, 2, 5, 5)]
    return [Case(given, _loops(**given)) for given in cases]


_CAUSES = {
    "a": Cause(
        "A softmax never gives 0, so the hidden tokens keep a little.",
        "it gives exactly 0 for a score of -inf; but no score is -inf here: print them.",
    ),
    "b": Cause(
        "The comparison is the wrong way round and hides the likeliest.",
        "logits < least is True for the tokens that shall be hidden; look at what becomes of them.",
    ),
    "c": Cause("masked_fill returns a new tensor, which nobody keeps: logits are as they were."),
}

_wrong = partial(parts.mistake, broken)
_HIDDEN = 'float("-inf")'
_DROPPED = f"logits.masked_fill(logits < least, {_HIDDEN})"

EXERCISE = exercise.Bug(
    name="05_top_k_dropped",
    lesson="05_inference",
    number="5.2",
    title="A top-k that changes nothing",
    broken=broken,
    also_closed=(_loops,),
    mend=((_DROPPED, f"kept = {_DROPPED}"), ("return logits.softmax", "return kept.softmax")),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
probabilities = broken(torch.tensor([[3.0, 2.0, 1.0, 0.0]]), k=2)
print("two of four tokens should be left, but:", probabilities)""",
    statement=f"""\
`broken(logits, k)` should give the probabilities to draw from if only the k likeliest tokens of each row may be drawn:
`logits` and result are `(B, V)`, all but k entries of a row are 0, and each row sums to 1. (No two logits are equal.)
The caller still needs `logits` as they are. The texts are as wild as without top-k, and no error is raised.

Write `fixed(logits, k)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A setting without effect is hard to see: the texts look plausible either way.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "What do logits look like after the line with masked_fill? Print them before it and after it.",
        "least is (B, 1), the k-th largest logit of each row; it meets logits (B, V).",
        "find the k-th largest; a new tensor with -inf below it; the softmax of that new tensor.",
        "masked_fill without an underscore at its end leaves its tensor alone; its result needs a name.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("just k tokens of each row can be drawn", _hidden),
        Test("every row sums to 1", _sums),
        Test("the probabilities agree with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "in_place": _wrong(
            "masked_fill_ hides the tokens, but in the caller's own logits; the caller still needs them.",
            ("masked_fill(", "masked_fill_("),
        ),
        "one_too_few": _wrong(
            "now the k-th likeliest is hidden too: only what is smaller than it goes.",
            (_DROPPED, f"kept = {_DROPPED.replace(' < ', ' <= ')}"),
            ("return logits.softmax", "return kept.softmax"),
        ),
        "zero_for_hidden": _wrong(
            "hidden logits are set to 0, but e⁰ = 1 still takes a share; only -inf takes none.",
            (_DROPPED, f"kept = {_DROPPED.replace(_HIDDEN, '0.0')}"),
            ("return logits.softmax", "return kept.softmax"),
        ),
        "cut_afterwards": _wrong(
            "hiding after the softmax leaves rows that sum to less than 1; hide the logits before it.",
            (_DROPPED, "hidden = logits < least"),
            ("logits.softmax(dim=-1)", "logits.softmax(dim=-1).masked_fill(hidden, 0.0)"),
        ),
    },
)
