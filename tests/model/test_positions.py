"""The sinusoidal encoding against the formula in Python's own floats; its properties as lesson 02 states them."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.model import positions


def test_every_entry_is_the_formula():
    length, d_model = 7, 22
    expected = [
        [(math.sin, math.cos)[c % 2](p / 10000 ** (2 * (c // 2) / d_model)) for c in range(d_model)]
        for p in range(length)
    ]
    assert_close(positions.sinusoidal_encoding(length, d_model), torch.tensor(expected))


def test_every_row_has_the_same_length():
    encoding = positions.sinusoidal_encoding(10_000, 32)
    assert_close(encoding.norm(dim=-1), torch.full((10_000,), math.sqrt(32 / 2)), atol=1e-4, rtol=0)
    assert encoding.abs().max() <= 1


def test_no_two_of_ten_thousand_positions_share_a_row():
    encoding = positions.sinusoidal_encoding(10_000, 32)
    assert len({tuple(row) for row in (encoding * 1e4).round().int().tolist()}) == 10_000


def test_a_step_is_the_same_rotation_everywhere():
    encoding = positions.sinusoidal_encoding(1_000, 2).double()
    a = torch.tensor(1.0, dtype=torch.float64)
    turn = torch.stack([torch.stack([a.cos(), a.sin()]), torch.stack([-a.sin(), a.cos()])])
    assert_close(encoding[1:], encoding[:-1] @ turn.T, atol=1e-4, rtol=0)


def test_an_odd_width_names_its_neighbours():
    with pytest.raises(ValueError, match="use 30 or 32"):
        positions.sinusoidal_encoding(7, 31)
