"""Exercise 0.2, a mean over what counts. Qwen Technical Report (arXiv:2309.16609), section 3.1.2, masks the loss so."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import loss


def _loops(values: Tensor, mask: Tensor) -> Tensor:
    rows, keeps = values.reshape(-1, values.shape[-1]).tolist(), mask.reshape(-1, mask.shape[-1]).tolist()
    kept = [[value for value, keep in zip(*row) if keep] for row in zip(rows, keeps)]
    means = [sum(row) / len(row) if row else 0.0 for row in kept]
    return torch.tensor(means, dtype=torch.float64).reshape(values.shape[:-1]).to(values.dtype)


def _case(values: Tensor, mask: Tensor, note: str = "") -> Case:
    return Case({"values": values, "mask": mask}, _loops(values, mask), note)


def _starts(*counts: int, length: int) -> Tensor:
    return torch.arange(length) < torch.tensor(counts)[:, None]


def _by_hand(rng: torch.Generator) -> list[Case]:
    values = torch.randint(1, 10, (2, 3), generator=rng).float()
    return [_case(values, _starts(2, 1, length=3), "two tokens count in row 0, one in row 1")]


def _random(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    return [_case(draw.normal(rng, B, T), draw.mask(rng, B, T))]


def _hidden(rng: torch.Generator) -> list[Case]:
    values = torch.randint(1, 10, (2, 3), generator=rng).float()
    values[:, 2] *= 1000
    return [_case(values, _starts(2, 2, length=3), "the last token of each row is hidden, and large")]


def _everything(rng: torch.Generator) -> list[Case]:
    values = torch.randint(1, 10, (2, 3), generator=rng).float()
    return [_case(values, _starts(3, 3, length=3), "nothing is hidden: this is the plain mean of each row")]


def _nothing(rng: torch.Generator) -> list[Case]:
    values = torch.randint(1, 10, (2, 3), generator=rng).float()
    return [_case(values, _starts(3, 0, length=3), "row 1 has no token that counts")]


def _leading(rng: torch.Generator) -> list[Case]:
    sizes = [(5,), (2, 3, 5)]
    return [_case(draw.normal(rng, *size), draw.mask(rng, *size), f"values of shape {size}") for size in sizes]


_KEPT, _COUNT = "values.where(mask, 0.0)", "mask.sum(dim=-1).clamp(min=1)"

_wrong = partial(parts.mistake, loss.masked_mean)

EXERCISE = exercise.Implement(
    name="masked_mean",
    lesson="00_start",
    number="0.2",
    title="Average only the tokens that count",
    library=loss.masked_mean,
    also_closed=(_loops,),
    in_model=True,
    statement="""\
Write `masked_mean(values, mask)`, the mean of each row over the tokens that count.

- `values` has shape `(..., T)`: a number for each of T tokens, such as how hard it was to guess. The dots stand for
  any leading dimensions, also none.
- `mask` is boolean and has the same shape. **True means: this token counts.** Short texts are filled up with
  tokens that do not.
- The result has shape `(...)`: one mean for each row, over its own True tokens only. A row without any gives 0.

For example, values `[[2., 4., 9.], [5., 7., 7.]]` with mask `[[True, True, False], [True, False, False]]` give
`[3., 5.]`.
""",
    why="Texts of a batch differ in length. A mean that counts the filling says that short texts are easy.",
    points=1,
    minutes=5,
    difficulty=1,
    hints=(
        "Take the row 2, 4, 9, with 9 hidden. What must be added up, and what must the sum be divided by?",
        "(..., T) becomes (...): the sum and the count both run over the last axis, each row by itself.",
        "set hidden values to 0; add up each row; count the True of each row, but at least 1; divide.",
        "mask.sum(dim=-1) counts the True of each row, and .clamp(min=1) makes a 0 of it a 1.",
    ),
    tests=(
        Test("two rows, by hand", _by_hand),
        Test("with nothing hidden it is the mean of each row", _everything),
        Test("agrees with plain loops", _random),
        Test("what the mask hides cannot change the result", _hidden),
        Test("a row without any token that counts gives 0", _nothing),
        Test("leading dimensions pass through, and each row is by itself", _leading),
        draw.gradients(
            "a gradient reaches values",
            ("values",),
            lambda rng: {"values": draw.normal(rng, 2, 3), "mask": _starts(2, 1, length=3)},
        ),
    ),
    wrong_answers={
        "divided_by_length": _wrong(
            "the sum is divided by T, so hidden tokens are counted in; divide by how many of the row are True.",
            (_COUNT, "mask.shape[-1]"),
        ),
        "hidden_added": _wrong(
            "hidden values are added up too: set them to 0 before the sum.",
            (_KEPT, "values"),
        ),
        "mask_inverted": _wrong(
            "the mask is read the wrong way round: True means that a token counts.",
            (_KEPT, "values.where(~mask, 0.0)"),
            (_COUNT, "(~mask).sum(dim=-1).clamp(min=1)"),
        ),
        "count_of_all_rows": _wrong(
            "each row is divided by the count of all rows together; mask.sum() needs dim=-1.",
            ("mask.sum(dim=-1)", "mask.sum()"),
        ),
        "one_mean_for_all": _wrong(
            "one mean is taken over all rows together; each row has its own.",
            ("kept.sum(dim=-1)", "(kept.sum() + 0 * kept.sum(dim=-1))"),
            ("mask.sum(dim=-1)", "mask.sum()"),
        ),
        "sum_only": _wrong("the values are added up, but not divided.", (f" / {_COUNT}", "")),
        "zero_by_zero": _wrong(
            "a row without any token that counts gives NaN, 0/0: let the count be at least 1.",
            (".clamp(min=1)", ""),
        ),
        "one_too_many": _wrong(
            "1 is added to every count; only a count of 0 has to become 1.",
            (".clamp(min=1)", ".add(1)"),
        ),
        "ones_for_hidden": _wrong(
            "hidden values are set to 1, and so added up; 0 adds nothing.",
            ("0.0)", "1.0)"),
        ),
        "no_gradient": _wrong(
            "the result is cut off from values (by detach, .data, .item() or no_grad), so no model learns from it.",
            ("values.where", "values.detach().where"),
        ),
    },
)
