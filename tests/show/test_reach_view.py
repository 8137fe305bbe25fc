"""Reach and cost: what the lines hold, read back from the axes."""

import matplotlib.pyplot as plt

from minqwen import show


def test_both_sides_show_their_numbers_and_nothing_falls_off_the_paper():
    reach, cost = {"LSTM": [1.0, 0.0, 1e-20], "attention": [1.0, 0.5, 0.25]}, {"LSTM": [1, 2], "attention": [1, 4]}
    left, right = show.reach_and_cost([1, 2, 4], reach, [8, 16], cost)
    drawn = {line.get_label(): line.get_ydata().tolist() for line in left.get_lines()}
    assert drawn == {"LSTM": [1.0, 1e-12, 1e-12], "attention": [1.0, 0.5, 0.25]}
    assert [line.get_ydata().tolist() for line in right.get_lines()] == [[1, 2], [1, 4]]
    assert "gradient" in left.figure.alt and left.get_yscale() == right.get_yscale() == "log"
    plt.close(left.figure)
