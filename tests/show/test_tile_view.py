"""The picture of tiles. Oracle: tiles counted by hand."""

import pytest

from minqwen import show
from minqwen.show import tile_view


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"T": 8, "block_q": 2, "block_k": 2}, (6, 4, 6), id="causal: a triangle of ten of sixteen"),
        pytest.param({"T": 8, "block_q": 2, "block_k": 2, "causal": False}, (16, 0, 0), id="all"),
        pytest.param({"T": 7, "block_q": 3, "block_k": 4, "causal": False}, (6, 0, 0), id="ragged: 3 rows of 2"),
        pytest.param({"T": 8, "block_q": 8, "block_k": 8}, (0, 1, 0), id="one tile"),
    ],
)
def test_tiles_are_counted(settings, expected):
    assert show.tiles_plot(**settings) == expected
    ax = tile_view.plt.gcf().axes[0]
    assert len(ax.patches) == expected[0] + expected[1] + 3  # and three in the key


def test_the_picture_says_how_much_is_never_looked_at():
    show.tiles_plot(T=8, block_q=1, block_k=1)
    assert "44% of the table" in tile_view.plt.gcf().alt  # 28 of 64


def test_the_controls_count_anew():
    w = show.tile_explorer()
    w.causal.value = False
    assert w.result.skipped == 0 and w.result.masked == 0
