"""The picture of a trust region. Oracle: a circle, where everything is known."""

import pytest
import torch
from matplotlib.colors import to_rgb

from minqwen import show
from minqwen.show import figure

START = torch.tensor([1.0, 2.0], dtype=torch.float64)


def test_the_line_of_the_bound_lies_where_the_divergence_is_that():
    ends = {"far": START + torch.tensor([0.5, 0.0]), "near": START + torch.tensor([0.0, 0.2])}
    ax = show.trust_region(
        lambda p: p[0], lambda p: ((p - START) ** 2).sum(), START, ends, 0.09, "A circle", ("a", "b"), (0.6, 0.6)
    )
    green = [c for c in ax.collections if c.get_edgecolor()[0][:3] == pytest.approx(to_rgb(figure.GREEN))]
    [line] = [path for c in green for path in c.get_paths()]
    radius = torch.from_numpy(line.vertices - START.numpy()).norm(dim=-1)
    assert radius.min() > 0.29 and radius.max() < 0.31
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["far", "near"]
    assert "KL = 0.09" in ax.figure.alt and ax.get_xlabel() == "a"
