"""Exercise 11.3, the score at the end token. Qwen Technical Report (arXiv:2309.16609), section 3.2.1."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import reward
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(values, is_token):
    """The library's body, without its check of the arguments."""
    places = torch.arange(values.shape[-1])
    last = places.where(is_token, -1).amax(dim=-1)
    return values.gather(-1, last[:, None]).squeeze(-1)


def _loops(values: Tensor, is_token: Tensor) -> Tensor:
    rows = zip(values.double().tolist(), is_token.tolist())
    return torch.tensor([[v for v, real in zip(*row) if real][-1] for row in rows]).to(values.dtype)


def _padded(rng: torch.Generator, lengths: list[int], width: int, left: bool) -> dict[str, Any]:
    places, sizes = torch.arange(width), torch.tensor(lengths)[:, None]
    is_token = places >= width - sizes if left else places < sizes
    return {"values": draw.normal(rng, len(lengths), width), "is_token": is_token}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _lengths(rng: torch.Generator, n: int, width: int) -> list[int]:
    return torch.randint(1, width, (n,), generator=rng).tolist()


def _full(rng: torch.Generator) -> list[Case]:
    return [_case(_padded(rng, [3, 3], 3, left=False), "no padding")]


def _right(rng: torch.Generator) -> list[Case]:
    given = _padded(rng, [2, 4], 5, left=False)
    return [_case(given, "texts of 2 and 4 tokens, padded on the right to 5")]


def _left(rng: torch.Generator) -> list[Case]:
    return [_case(_padded(rng, [2, 4], 5, left=True), "texts of 2 and 4 tokens, padded on the left to 5")]


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(_padded(rng, [1, 1, 1], 3, left=False), "one token a row")]


def _both(rng: torch.Generator) -> list[Case]:
    is_token = torch.tensor([[False, True, True, False], [True, True, False, False], [False, False, True, True]])
    return [_case({"values": draw.normal(rng, 3, 4), "is_token": is_token}, "padding on both sides")]


def _zero(rng: torch.Generator) -> list[Case]:
    given = _padded(rng, [2, 4], 5, left=False)
    given["values"][:, 1:4:2] = 0  # the last token of both
    return [_case(given, "the score of both texts is 0")]


def _values(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    return [_case(_padded(rng, _lengths(rng, B, T), T, left)) for left in (False, True)]


_wrong = partial(parts.mistake, _reference)
_LAST = "places.where(is_token, -1).amax(dim=-1)"
_GATHER = "values.gather(-1, last[:, None]).squeeze(-1)"

EXERCISE = exercise.Implement(
    name="last_value",
    lesson="11_preferences",
    number="11.3",
    title="Read the score at the end token",
    library=reward.last_value,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch",
    statement="""\
A reward model has a number at every position, and the score of a text is the one at its last token, where the whole
text has been read. Texts of a batch have different lengths. Write `last_value(values, is_token)`:

- `values` has shape `(B, T)`. `is_token` is boolean `(B, T)`, **False on padding**. Padding may stand on the right, as
  in training, on the left, as when answers are written, or on both sides.
- The result has shape `(B,)`: from each row the value at its **last True** position.
- Every row has at least one True.

For example, values `[[1., 2., 3.]]` with is_token `[[True, True, False]]` give `[2.]`, with `[[False, True, True]]`
`[3.]`.
""",
    why="Read at the last column instead, the score would be that of padding, and change with the other texts.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "Row 0 ends at position 1, row 1 at position 4. Which single number describes each row, and how is it found?",
        "(B, T) masks give (B,) places; (B, T) values gathered at them give (B,).",
        "number the positions; where there is padding put −1 in place of the number; the largest number of each row "
        "is its last token; gather there.",
        "torch.arange(T).where(is_token, -1).amax(-1), then values.gather(-1, last[:, None]).",
    ),
    tests=(
        Test("without padding it is the last column", _full),
        Test("padding on the right", _right),
        Test("padding on the left", _left),
        Test("texts of a single token", _one),
        Test("padding on both sides", _both),
        Test("a value of 0 is a value", _zero),
        Test("agrees with plain loops", _values),
        draw.types(
            "the result has the type of the values", ("values",), lambda rng: _padded(rng, [2, 4], 5, left=False)
        ),
        draw.gradients("a gradient reaches values", ("values",), lambda rng: _padded(rng, [2, 4], 5, left=False)),
    ),
    wrong_answers={
        "last_column": _wrong(
            "the last column is read; with padding on the right that is no token.", (_GATHER, "values[:, -1]")
        ),
        "counted": _wrong(
            "the number of tokens less 1 is only the last place where padding stands on the right.",
            (_LAST, "is_token.sum(dim=-1) - 1"),
        ),
        "one_beyond": _wrong(
            "the first position of padding is read; the last token stands before it.",
            (_LAST, f"({_LAST} + 1).clamp(max=values.shape[-1] - 1)"),
        ),
        "one_before": _wrong("the token before the last one is read.", (_LAST, f"({_LAST} - 1).clamp(min=0)")),
        "first_token": _wrong(
            "the first token is read; it has seen nothing of the text.",
            (_LAST, "is_token.int().argmax(dim=-1)"),
        ),
        "before_the_padding": _wrong(
            "the token before the first padding is sought, so padding on the left breaks it.",
            (_LAST, "torch.where(is_token.all(-1), is_token.shape[-1], is_token.int().argmin(dim=-1)) - 1"),
        ),
        "beside_the_first_padding": _wrong(
            "the token before the first padding is sought, so padding on both sides breaks it.",
            (_GATHER, "values[torch.arange(len(values)), (~is_token).int().argmax(dim=-1) - 1]"),
        ),
        "not_zero": _wrong(
            "the last value that is not 0 is taken; is_token says which position is the last.",
            (_LAST, "places.where(values * is_token != 0, -1).amax(dim=-1).clamp(min=0)"),
        ),
        "masked_column": _wrong(
            "the last column is read with padding put to 0; it is still the last column.",
            (_GATHER, "(values * is_token)[:, -1]"),
        ),
        "mean": _wrong(
            "the mean over the tokens is taken; only the last one has read all.",
            (_GATHER, "(values * is_token).sum(dim=-1) / is_token.sum(dim=-1)"),
        ),
        "sum": _wrong("the values are added up; take the last one.", (_GATHER, "(values * is_token).sum(dim=-1)")),
        "largest": _wrong(
            "the largest value is taken; take the last one.",
            (_GATHER, "values.masked_fill(~is_token, -torch.inf).amax(dim=-1)"),
        ),
        "same_for_all": _wrong(
            "all rows are read where the longest ends; each row has its own end.",
            (_LAST, f"{_LAST}.amax().expand(len(values))"),
        ),
    },
)
