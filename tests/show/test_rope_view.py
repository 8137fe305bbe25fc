"""Oracle: the cosine of (m − n) θ, which is what the score of two equal unit vectors must be."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen import show
from minqwen.model import rope
from minqwen.show import rope_view


def theta(pair, base, d_head=32):
    return base ** (-2 * pair / d_head)


@pytest.mark.parametrize(("m", "n", "pair", "base"), [(12, 5, 3, 10000.0), (3, 60, 0, 100.0), (64, 0, 15, 1e6)])
def test_hands_stand_at_position_times_frequency(m, n, pair, base):
    hands = show.rope_clock_plot(m, n, pair, base)
    for hand, position in ((hands.q, m), (hands.k, n)):
        angle = position * theta(pair, base)
        assert_close(hand, torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64))
    assert hands.score == pytest.approx(math.cos((m - n) * theta(pair, base)), abs=1e-9)


def test_shifting_both_moves_the_hands_and_keeps_the_score():
    here, there = show.rope_clock_plot(12, 5, 3), show.rope_clock_plot(12, 5, 3, shift=101)
    assert not torch.allclose(here.q, there.q, atol=0.1)
    assert here.score == pytest.approx(there.score, abs=1e-9)


def test_the_picture_marks_the_score_at_the_present_distance():
    hands = show.rope_clock_plot(12, 5, 3)
    scores = rope_view.plt.gcf().axes[1]
    curve, mark = scores.get_lines()[1:3]
    assert mark.get_xydata().tolist() == [[7.0, pytest.approx(hands.score)]]
    x, y = curve.get_data()
    assert y == pytest.approx([math.cos(d * theta(3, 10000.0)) for d in x])


def test_the_clock_is_driven_by_its_controls():
    w = show.rope_clock()
    before = w.picture.data
    w.shift.value = 40
    assert w.picture.data != before
    w.m.value, w.n.value, w.pair.value, w.base.value = 9, 9, 2, 100.0
    assert w.result.score == pytest.approx(1.0)
    assert all(control.description for control in w.controls.values())


def test_the_clock_runs_on_whatever_rotation_the_model_has(monkeypatch):
    monkeypatch.setattr(rope, "apply_rope", lambda x, angles: x)
    assert show.rope_clock_plot(12, 5, 3).score == 1.0


def test_a_pair_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="choose one from 0 to 15"):
        show.rope_clock_plot(pair=16)


def test_wavelengths_are_the_tokens_of_one_turn():
    ax = show.wavelengths(d_head=14, base=100.0, trained_length=61)
    turns, trained = (line.get_ydata() for line in ax.get_lines())
    assert turns == pytest.approx([2 * math.pi / theta(i, 100.0, 14) for i in range(7)])
    assert set(trained) == {61.0} and ax.get_yscale() == "log"
    assert ax.get_title(loc="left").startswith("4 of 7 pairs")
