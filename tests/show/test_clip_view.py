"""The picture of the clip. Oracle: the four cases of the sign by hand, differences of the drawn line."""

import numpy as np
import pytest

from minqwen import show
from minqwen.show import clip_view


@pytest.mark.parametrize(
    ("advantage", "clip", "ratio", "expected"),
    [
        pytest.param(2.0, 0.2, 1.5, (2.4, 0.0, True), id="good and likelier: held"),
        pytest.param(2.0, 0.2, 0.5, (1.0, 2.0, False), id="good and rarer: pulled up"),
        pytest.param(-2.0, 0.2, 1.5, (-3.0, -2.0, False), id="bad and likelier: pulled down"),
        pytest.param(-2.0, 0.2, 0.5, (-1.6, 0.0, True), id="bad and rarer: held"),
        pytest.param(1.0, 0.5, 1.4, (1.4, 1.0, False), id="inside a wider band"),
    ],
)
def test_what_a_token_adds_and_how_it_pulls(advantage, clip, ratio, expected):
    assert show.clip_plot(advantage, clip, ratio) == pytest.approx(expected)
    ax = clip_view.plt.gcf().axes[0]
    _, drawn, *_ = ax.get_lines()
    x, y = drawn.get_data()
    assert np.interp(ratio, x, y) == pytest.approx(expected[0], abs=1e-3)
    slope = np.gradient(y, x)[np.abs(x - ratio).argmin()]
    assert slope == pytest.approx(expected[1], abs=1e-6)


def test_the_words_say_whether_the_clip_holds():
    show.clip_plot(2.0, 0.2, 1.5)
    assert "the clip holds it: slope 0" in clip_view.plt.gcf().alt
    show.clip_plot(2.0, 0.2, 0.5)
    assert "it pulls: slope +2.00" in clip_view.plt.gcf().alt


def test_of_the_four_cases_two_are_held():
    assert [found.held for found in show.four_cases()] == [False, True, True, False]


def test_the_controls_move_the_token():
    w = show.clip_explorer()
    assert not w.result.held
    w.ratio.value = 1.9
    assert w.result.held and w.result.objective == pytest.approx(1.2)
    w.clip.value = 0.5
    assert w.result.objective == pytest.approx(1.5)
    w.advantage.value = -1.0
    assert not w.result.held and w.result.objective == pytest.approx(-1.9)
    assert [control.description for control in w.controls.values()] == ["advantage", "clip", "ratio"]
