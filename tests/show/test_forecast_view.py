"""The picture of forecasts. Oracle: its own points and band."""

import numpy as np

from minqwen import show


def test_points_and_band_are_where_the_numbers_say():
    groups = {"training": {"small": (0.1, 0.09), "large": (2.0, 2.4)}, "writing": {"one": (0.5, 0.4)}}
    ax = show.forecast_plot(groups, "All within a quarter", "seconds")
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()}
    assert lines["training"] == [[0.1, 0.09], [2.0, 2.4]] and lines["writing"] == [[0.5, 0.4]]
    [band] = ax.collections
    x, y = band.get_paths()[0].vertices.T
    assert np.isclose(y[x == x.max()].max() / x.max(), 1.25) and np.isclose(y[x == x.max()].min() / x.max(), 0.75)
    assert "large 2 measured, 2.4 predicted" in ax.figure.alt and ax.get_xscale() == ax.get_yscale() == "log"
