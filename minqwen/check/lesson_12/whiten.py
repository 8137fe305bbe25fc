"""Exercise 12.3, advantages on one scale. Ziegler et al. 2019 (arXiv:1909.08593), and its code's biased variance."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.align import gae as library
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _loops(x: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    """By plain numbers."""
    kept = [v for row, m in zip(x.double().tolist(), mask.tolist()) for v, k in zip(row, m) if k]
    mean = sum(kept) / max(len(kept), 1)
    variance = sum((v - mean) ** 2 for v in kept) / max(len(kept), 1)
    white = [[(v - mean) / (variance + 1e-8) ** 0.5 + (0.0 if shift_mean else mean) for v in row] for row in x.tolist()]
    return torch.tensor(white, dtype=torch.float64).where(mask, 0.0).to(x.dtype)


def _given(rng: torch.Generator, mask: list[list[int]], dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    kept = torch.tensor(mask).bool()
    return {"x": 3 * draw.normal(rng, *kept.shape, dtype=dtype) + 2, "mask": kept}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _row(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [[1, 1]]), "two numbers: they become −1 and 1")]


def _whole_batch(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1], [1, 1]])
    given["x"][1] += 10
    return [_case(given, "row 1 is far above row 0: the whole batch has one mean")]


def _masked(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1, 0], [1, 0, 0]])
    nothing = {"x": given["x"].where(given["mask"], math.nan)}
    return [_case(given, "three numbers count"), _case(given | nothing, "in the padding stands what is no number")]


def _rewards(rng: torch.Generator) -> list[Case]:
    return [_case({**_given(rng, [[1, 1, 1]]), "shift_mean": False}, "shift_mean=False: the mean stays as it was")]


def _equal(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1], [1, 0]])
    given["x"] = torch.randint(-9, 10, (1, 1), generator=rng).float().expand(2, 2).clone()
    mean = "all numbers are equal, and keep their mean"
    return [_case(given, "all numbers are equal: 0, and not 0/0"), _case({**given, "shift_mean": False}, mean)]


def _small(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [[1, 1, 1]])
    given["x"] = 1e-4 * draw.normal(rng, 1, 3)
    return [_case(given, "the variance is about as small as the 1e-8 beside it, under the root")]


def _values(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    given = {"x": 5 * draw.normal(rng, B, T), "mask": draw.mask(rng, B, T)}
    return [_case(given), _case({**given, "shift_mean": False})]


_wrong = partial(parts.mistake, library.whiten)
_VARIANCE = "(x - mean).where(mask, 0.0).square().sum() / count"

EXERCISE = exercise.Implement(
    name="whiten",
    lesson="12_ppo",
    number="12.3",
    title="Advantages on one scale",
    library=library.whiten,
    also_closed=(_loops,),
    in_model=True,
    imports="import torch",
    statement="""\
Write `whiten(x, mask, shift_mean=True)`:

$$\\text{white}=\\frac{x-\\text{mean}}{\\sqrt{\\text{variance}+10^{-8}}}$$

- `x` has shape `(B, T)`, `mask` is boolean `(B, T)`. Mean and variance are those of the True positions **of the whole
  batch**; the variance divides by their number n, not by n − 1.
- False positions are 0 in the result, whatever x holds there, NaN too.
- `shift_mean`: with True the result has mean 0. With False the mean is added again: only the spread becomes 1.
- If all numbers are equal the result is 0 (or the mean), and not NaN.

For example, `[[1., 3.]]` without padding becomes `[[-1., 1.]]`, and with `shift_mean=False` `[[1., 3.]]`.
""",
    why="Rewards of 0.01 and of 100 then give steps of one size, and about half of the actions are made less likely.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "How many numbers does the mean run over, and which?",
        "mean and variance are single numbers; the result is (B, T).",
        "put 0 where mask is False, sum, divide by the count; the same for (x − mean)², once more with 0 where mask is "
        "False; at the end 0 there again.",
        "x.where(mask, 0.0) keeps what counts; mask.sum() says how many; torch.rsqrt is 1 / √.",
    ),
    tests=(
        Test("two numbers become −1 and 1", _row),
        Test("the whole batch has one mean and one spread", _whole_batch),
        Test("padding does not count, and is 0", _masked),
        Test("with shift_mean=False the mean stays", _rewards),
        Test("equal numbers give no NaN", _equal),
        Test("tiny numbers stay small", _small),
        Test("agrees with plain loops", _values),
        draw.types("the result has the type of x", ("x",), lambda rng: _given(rng, [[1, 1, 1]])),
    ),
    wrong_answers={
        "padding_in_mean": _wrong(
            "the padding is counted in the mean.",
            ("kept = x.where(mask, 0.0)", "kept = x"),
        ),
        "all_counted": _wrong(
            "the sums are divided by the number of all positions; divide by that of the True ones.",
            ("mask.sum().clamp(min=1)", "mask.numel()"),
        ),
        "padding_in_variance": _wrong(
            "the padding is counted in the variance.", (_VARIANCE, "(x - mean).square().sum() / count")
        ),
        "n_minus_1": _wrong(
            "the variance divides by n − 1; here it divides by n.",
            (_VARIANCE, f"{_VARIANCE[:-5]}(count - 1).clamp(min=1)"),
        ),
        "by_variance": _wrong(
            "it is divided by the variance; divide by its root.",
            ("torch.rsqrt(variance + 1e-8)", "(variance + 1e-8).reciprocal()"),
        ),
        "mean_of_squares": _wrong(
            "the mean is not taken off inside the variance.", (_VARIANCE, "kept.square().sum() / count")
        ),
        "mean_kept": _wrong(
            "`shift_mean` is understood the other way round: True takes the mean off, False adds it again.",
            ("(0.0 if shift_mean else mean)", "(mean if shift_mean else 0.0)"),
        ),
        "always_shifted": _wrong(
            "`shift_mean=False` has no effect; it adds the mean again.", (" + (0.0 if shift_mean else mean)", "")
        ),
        "padding_not_0": _wrong(
            "the padding is not 0 in the result.", ("return white.where(mask, 0.0)", "return white")
        ),
        "by_rows": _wrong(
            "each row has its own mean and spread; the whole batch has one.",
            ("mask.sum()", "mask.sum(-1, keepdim=True)"),
            ("kept.sum()", "kept.sum(-1, keepdim=True)"),
            (".square().sum()", ".square().sum(-1, keepdim=True)"),
        ),
        "no_epsilon": _wrong(
            "equal numbers have variance 0, and 0/0 is no number; add 1e-8.",
            ("rsqrt(variance + 1e-8)", "rsqrt(variance)"),
        ),
        "small_outside": _wrong(
            "the 1e-8 is added to the root; it stands under the root, beside the variance.",
            ("torch.rsqrt(variance + 1e-8)", "(variance.sqrt() + 1e-8).reciprocal()"),
        ),
        "times_mask": _wrong(
            "the padding is multiplied by 0, and 0 times NaN is NaN; choose with x.where(mask, 0.0).",
            ("x.where(mask, 0.0)", "x * mask"),
            (_VARIANCE, "((x - mean) * mask).square().sum() / count"),
            ("white.where(mask, 0.0)", "white * mask"),
        ),
        "row_means": _wrong(
            "that is the mean of the rows' means, in which what stands in short rows weighs more.",
            ("kept.sum() / count", "(kept.sum(-1) / mask.sum(-1).clamp(min=1)).mean()"),
        ),
        "centred_only": _wrong("the mean is taken off, but the spread stays.", (" * torch.rsqrt(variance + 1e-8)", "")),
    },
)
