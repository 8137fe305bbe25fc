"""Exercise 7.6, how many bands. Leskovec et al., "Mining of Massive Datasets", section 3.4.2 (http://www.mmds.org)."""

from functools import partial

import numpy as np
import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.data import lsh

STRIPS = 400  # of the oracle's sums


def _solution(threshold: float, num_perm: int, fp_weight: float = 0.5) -> tuple[int, int]:
    """The library's, written plainly."""
    below, above = np.linspace(0, threshold, 501), np.linspace(threshold, 1, 501)
    best, least = (1, 1), float("inf")
    for b in range(1, num_perm + 1):
        for r in range(1, num_perm // b + 1):
            false = np.trapezoid(1 - (1 - below**r) ** b, below)
            missed = np.trapezoid((1 - above**r) ** b, above)
            area = fp_weight * false + (1 - fp_weight) * missed
            if area < least:
                best, least = (b, r), area
    return best


def _areas(threshold: float, num_perm: int, fp_weight: float) -> list[tuple[float, int, int]]:
    """(area, b, r) from the smallest area on, each area as a sum of strips."""
    s = (np.arange(STRIPS) + 0.5) / STRIPS
    sides = (s * threshold, threshold, fp_weight), (threshold + s * (1 - threshold), 1 - threshold, 1 - fp_weight)
    found = []
    for b, r in [(i, j) for i in range(1, num_perm + 1) for j in range(1, num_perm // i + 1)]:
        misses = [(1 - at**r) ** b for at, _, _ in sides]
        heights = 1 - misses[0].mean(), misses[1].mean()
        found.append((sum(h * width * weight for h, (_, width, weight) in zip(heights, sides)), b, r))
    return sorted(found)


def _drawn(
    rng: torch.Generator, sizes: tuple[int, ...], weights: tuple[float, ...], low: float = 0.3, high: float = 0.9
) -> list[Case]:
    """For each size a threshold at which the second best is clearly worse, so that any fine sum finds the same."""
    cases = []
    while len(cases) < len(sizes):
        num_perm, weight = sizes[len(cases)], weights[len(cases) % len(weights)]
        threshold = round(low + (high - low) * torch.rand(1, generator=rng).item(), 2)
        (best, b, r), (second, _, _) = _areas(threshold, num_perm, weight)[:2]
        if second > 1.03 * best:
            args = {"threshold": threshold, "num_perm": num_perm, "fp_weight": weight}
            cases.append(Case(args, (b, r)))
    return cases


_CHOICE = "best, least = (b, r), area"
_AREA = "fp_weight * false + (1 - fp_weight) * missed"
_wrong = partial(parts.mistake, _solution)

EXERCISE = exercise.Implement(
    name="choose_bands",
    lesson="07_data_cleaning",
    number="7.6",
    title="How many bands?",
    library=lsh.choose_bands,
    reference=_solution,
    also_closed=(_areas,),
    imports="import numpy as np",
    statement="""\
Cut into b bands of r entries, two signatures of similarity s become a candidate pair with probability
P(s) = 1 - (1 - s^r)^b. Ideally P is 0 below a threshold t and 1 above it. Write
`choose_bands(threshold, num_perm, fp_weight)`, which finds the b and r that come nearest to that.

- `threshold` is t, between 0 and 1. `num_perm` is how many entries a signature has: **b · r may be at most that**, and
  may be less. `fp_weight` is w, between 0 and 1.
- Below t, P itself is wrong: the area ∫₀ᵗ P(s) ds. Above t, 1 - P is: ∫ₜ¹ (1 - P(s)) ds. Make
  **w times the first plus (1 - w) times the second** as small as possible.
- The result is a pair of whole numbers, `(b, r)`.

For example, t = 0.5 and w = 0.5 with 128 entries: 25 bands of 5 entries.

Try every pair. A sum over some hundred points of s is accurate enough for the areas (`np.linspace`, `np.trapezoid`).
""",
    why="The same signature can find pairs from 0.3 on or from 0.95 on: b and r decide, and cost nothing to change.",
    points=3,
    minutes=15,
    difficulty=3,
    hints=(
        "What does P look like for one band of all entries? And for as many bands as entries, of one each?",
        "Two numbers and a weight go in; b runs from 1 to num_perm, and r from 1 to num_perm // b; (b, r) comes out.",
        "for each b and r that fit: area of P on a grid from 0 to t, area of 1 - P on a grid from t to 1, weighted "
        "sum; remember the pair with the smallest.",
        "np.trapezoid(y, x) is the area under y over the grid x, and np.linspace(0, t, 501) is such a grid.",
    ),
    tests=(
        Test("a few entries", lambda rng: _drawn(rng, (4, 7), (0.5,))),
        Test("more entries", lambda rng: _drawn(rng, (16, 20), (0.5,))),
        Test("a high threshold, with little room above it", lambda rng: _drawn(rng, (9, 14, 24), (0.5,), low=0.8)),
        Test(
            "a low threshold, where bands of one entry are best", lambda rng: _drawn(rng, (8, 12), (0.5,), 0.05, 0.15)
        ),
        Test(
            "a weight on false candidates, or on missed pairs", lambda rng: _drawn(rng, (13, 13, 18), (0.9, 0.1, 0.25))
        ),
    ),
    wrong_answers={
        "exchanged": _wrong(
            "b and r are exchanged, in the result or in the formula: s^r is one band, and there are b of them.",
            ("return best", "return best[::-1]"),
        ),
        "only_false": _wrong(
            "only false candidates are counted, so one band of all entries seems best; above the threshold it is 1 - P "
            "that is wrong, the missed pairs.",
            (_AREA, "fp_weight * false"),
        ),
        "only_missed": _wrong(
            "there are as many bands as entries, as if only missed pairs counted; false candidates count too.",
            (_AREA, "(1 - fp_weight) * missed"),
        ),
        "weight_unused": _wrong("the weight is not used.", (_AREA, "false + missed")),
        "weights_exchanged": _wrong(
            "the weights are exchanged: w belongs to the area below the threshold.",
            (_AREA, "(1 - fp_weight) * false + fp_weight * missed"),
        ),
        "all_used": _wrong(
            "only pairs with b · r = num_perm are tried; it may be less.",
            ("for r in range(1, num_perm // b + 1):", "for r in [num_perm // b] * (num_perm % b == 0):"),
        ),
        "one_short": _wrong(
            "r stops one too early: b · r may be equal to num_perm.",
            ("num_perm // b + 1", "num_perm // b"),
        ),
        "worst": _wrong(
            "this is the pair with the largest area; take the smallest.",
            ('float("inf")', "0.0"),
            ("area < least", "area > least"),
        ),
        "whole_range": _wrong(
            "both areas go over all s; the first ends at the threshold, where the second begins.",
            (
                "np.linspace(0, threshold, 501), np.linspace(threshold, 1, 501)",
                "np.linspace(0, 1, 501), np.linspace(0, 1, 501)",
            ),
        ),
        "means": _wrong(
            "these are mean errors on both sides; an area is the mean times the width, t below and 1 - t above.",
            ("np.trapezoid(1 - (1 - below**r) ** b, below)", "np.mean(1 - (1 - below**r) ** b)"),
            ("np.trapezoid((1 - above**r) ** b, above)", "np.mean((1 - above**r) ** b)"),
        ),
        "nearest_rise": _wrong(
            "this takes the pair whose (1/b)^(1/r) is nearest to the threshold; that is where the curve rises, "
            "but not how steeply.",
            (_AREA, "abs((1 / b) ** (1 / r) - threshold)"),
        ),
        "half_at_the_threshold": _wrong(
            "this takes the curve that is at one half at the threshold; that is where it rises, but not how steeply.",
            (_AREA, "abs((1 - threshold**r) ** b - 0.5)"),
        ),
        "no_limit": _wrong("b · r is more than num_perm.", ("num_perm // b + 1", "num_perm + 1")),
        "never_equal": _wrong("b · r stays below num_perm; it may be equal.", ("num_perm // b", "(num_perm - 1) // b")),
        "long_bands": _wrong(
            "bands of one entry are left out; r begins at 1.", ("range(1, num_perm // b", "range(2, num_perm // b")
        ),
        "larger_side": _wrong(
            "only the larger area is made small; make their sum small.",
            (_AREA, "max(fp_weight * false, (1 - fp_weight) * missed)"),
        ),
    },
)
