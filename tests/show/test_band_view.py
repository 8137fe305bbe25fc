"""Oracles: the formula, written out; the areas by a sum over ten thousand strips; the axes, read back."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minqwen import show
from minqwen.data import lsh


def test_the_curve_is_the_formula_and_the_dots_are_what_was_measured():
    bands = show.s_curve_plot(b=14, r=9, threshold=0.7, measured=[(0.5, 0.03), (0.9, 1.0)])
    curve, threshold, dots = plt.gca().get_lines()
    s, found = curve.get_data()
    assert s[0] == 0 and s[-1] == 1 and found == pytest.approx(1 - (1 - s**9) ** 14)
    assert set(threshold.get_xdata()) == {0.7}
    assert dots.get_xydata().tolist() == [[0.5, 0.03], [0.9, 1.0]]
    assert bands.entries == 126 and bands.rise == pytest.approx(14 ** (-1 / 9))
    assert bands.found == pytest.approx(1 - (1 - 0.7**9) ** 14)


def test_the_areas_are_the_errors_on_both_sides():
    bands = show.s_curve_plot(b=9, r=13, threshold=0.8)
    s = (np.arange(10_000) + 0.5) / 10_000
    found = 1 - (1 - s**13) ** 9
    assert bands.false == pytest.approx(found[s < 0.8].sum() / 10_000, abs=1e-5)
    assert bands.missed == pytest.approx((1 - found[s > 0.8]).sum() / 10_000, abs=1e-5)


def test_the_best_bands_have_the_smallest_sum_of_both_areas():
    def wrong(b, r):
        bands = show.s_curve_plot(b=b, r=r, threshold=0.6)
        plt.close()
        return bands.false + bands.missed

    best = lsh.choose_bands(0.6, 24)
    others = [(b, r) for r in range(1, 25) for b in range(1, 24 // r + 1) if (b, r) != best]
    assert wrong(*best) < min(wrong(*other) for other in others)


def test_title_and_alternative_text_say_the_claim():
    show.s_curve_plot(b=25, r=5, threshold=0.7)
    ax = plt.gca()
    assert ax.get_title(loc="left") == "25 bands of 5 find 99% of the pairs at 0.7"
    assert "25 bands of 5 entries find 99%" in ax.figure.alt
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Jaccard similarity s", "becomes a candidate")


def test_the_controls_move_the_curve():
    w = show.s_curve()
    assert w.result.entries == 125
    w.b.value, w.r.value, w.threshold.value = 5, 25, 0.9
    assert w.result.rise == pytest.approx(5 ** (-1 / 25))
    assert set(w.controls) == {"b", "r", "threshold"}
