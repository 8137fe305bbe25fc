"""Oracles: the numbers given, read back from the axes."""

import numpy as np
import pytest

from minqwen import show
from minqwen.show.runs import Interval

ROWS = {
    "LayerNorm": {"en": Interval(-0.02, 0.01, 0.04), "zh": Interval(-0.01, 0.0, 0.01)},
    "ReLU": {"en": Interval(0.05, 0.06, 0.07), "zh": Interval(-0.08, -0.06, -0.04)},
}


def marks(ax):
    return [line for line in ax.get_lines() if line.get_marker() not in ("None", "")]


def test_a_band_reaches_from_the_lowest_to_the_highest_seed_and_its_line_is_the_mean():
    ax = show.bands([0, 10], {"a": [[3.0, 1.0], [5.0, 2.0]], "b": [[9.0, 8.0], [9.0, 8.0]]}, "A claim", "step", "loss")
    first, _ = ax.collections
    [polygon] = first.get_paths()
    assert {tuple(point) for point in polygon.vertices} >= {(0, 3), (0, 5), (10, 1), (10, 2)}
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == [[4.0, 1.5], [9.0, 8.0]]
    assert [text.get_text() for text in ax.texts] == ["a", "b"] and ax.get_legend() is None
    assert np.allclose(first.get_facecolor()[0][:3], _rgb(ax.get_lines()[0].get_color()))


def _rgb(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] if isinstance(colour, str) else colour[:3]


def test_every_interval_is_drawn_at_its_numbers_beside_a_line_at_zero():
    ax = show.intervals(ROWS, title="Only ReLU moves the curve", x="bits per byte more than Qwen")
    zero, *rest = ax.get_lines()
    assert list(zero.get_xdata()) == [0.0, 0.0]
    whiskers = [tuple(line.get_xdata()) for line in rest if len(line.get_xdata()) == 2]
    assert whiskers == [(-0.02, 0.04), (0.05, 0.07), (-0.01, 0.01), (-0.08, -0.04)]
    assert [mark.get_xdata()[0] for mark in marks(ax)] == [0.01, 0.06, 0.0, -0.06]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["LayerNorm", "ReLU"]
    assert ax.get_title(loc="left") == "Only ReLU moves the curve" and ax.get_xlabel() == "bits per byte more than Qwen"


def test_a_mark_is_filled_only_where_zero_is_excluded():
    ax = show.intervals(ROWS, title="t", x="x")
    assert [mark.get_markerfacecolor() == "white" for mark in marks(ax)] == [True, False, True, False]


def test_languages_are_told_apart_by_form_and_named_in_the_picture():
    ax = show.intervals(ROWS, title="t", x="x")
    assert len({mark.get_marker() for mark in marks(ax)}) == 2, "colour alone would tell them apart"
    assert [text.get_text() for text in ax.texts] == ["en", "zh"] and ax.get_legend() is None
    places = [text.xy for text in ax.texts]
    assert places == [(0.07, pytest.approx(0.85)), (0.07, pytest.approx(1.15))], "beside the row that reaches furthest"


def test_the_first_row_is_on_top_and_the_alternative_text_names_the_rows():
    ax = show.intervals(ROWS, title="Only ReLU", x="bits")
    assert ax.yaxis_inverted()
    assert ax.figure.alt == "Means with intervals around zero, bits, of LayerNorm, ReLU, each for en, zh: Only ReLU"
