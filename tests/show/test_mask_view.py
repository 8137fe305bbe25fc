"""The mask painter. Oracles: paths counted from token to token, and the axes, read back."""

import matplotlib.pyplot as plt
import pytest
import torch

from minqwen import show
from minqwen.show import mask_view


@pytest.mark.parametrize(("window", "layers"), [(1, 5), (2, 3), (6, 1), (24, 2)])
def test_what_is_reached_are_the_ends_of_all_paths(window, layers):
    painted = show.mask_painter_plot(window=window, layers=layers)
    for query in (0, 11, 23):
        heard = {query}
        for _ in range(layers):
            heard = {key for each in heard for key in range(max(each - window + 1, 0), each + 1)}
        assert painted.reached[query].nonzero().squeeze(1).tolist() == sorted(heard)
    assert painted.reach == min(layers * (window - 1), 23)


def test_scores_are_counted_by_their_formula():
    T = mask_view.TOKENS
    for window in (1, 5, T):
        assert show.mask_painter_plot(window=window).scores == window * (window + 1) / 2 + (T - window) * window


def test_the_picture_shows_both_grids_and_marks_the_query():
    painted = show.mask_painter_plot(window=4, layers=3, query=20)
    left, right = plt.gcf().axes
    assert torch.as_tensor(left.get_images()[0].get_array()).bool().equal(painted.mask)
    assert torch.as_tensor(right.get_images()[0].get_array()).bool().equal(painted.reached)
    assert left.get_lines()[0].get_xdata().tolist() == [17, 18, 19, 20]
    assert set(right.get_lines()[0].get_ydata()) == {20}
    assert left.get_title(loc="left") == "One layer, window 4: 90 scores"
    assert "query 20 sees keys 17 to 20" in plt.gcf().alt and "hears of 10 keys" in plt.gcf().alt


def test_the_controls_repaint():
    w = show.mask_painter()
    assert set(w.controls) == {"window", "layers", "query"}
    w.window.value, w.layers.value = 3, 5
    assert w.result.reach == 10
