"""Ratios of two normal distributions, for which every mean is known; Kish's number by a loop."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import importance


def drawn(shift, n=200_000, seed=0):
    """log ρ of N(shift, 1) over N(0, 1) at samples of N(0, 1), and the samples."""
    x = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return shift * x - shift**2 / 2, x


def test_samples_of_the_old_policy_give_means_of_the_new_one():
    log_ratio, x = drawn(0.5)
    assert_close(importance.expectation(log_ratio, x).item(), 0.5, atol=0.02, rtol=0)
    assert_close(importance.expectation(log_ratio, torch.ones_like(x)).item(), 1.0, atol=0.01, rtol=0)
    few, x = drawn(0.5, n=11)
    by_loops = sum(math.exp(r) * f for r, f in zip(few.tolist(), x.tolist())) / 11
    assert_close(importance.expectation(few, x).item(), by_loops)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_what_is_left_of_a_sample_falls_with_the_square_of_the_distance(shift):
    log_ratio, _ = drawn(shift)
    assert_close(importance.effective_size(log_ratio).item() / len(log_ratio), math.exp(-(shift**2)), atol=0.02, rtol=0)


def test_the_effective_size_equals_a_loop_and_does_not_overflow():
    log_ratio, _ = drawn(1.0, n=11)
    ratios = [math.exp(x) for x in log_ratio.tolist()]
    assert_close(importance.effective_size(log_ratio).item(), sum(ratios) ** 2 / sum(r * r for r in ratios))
    assert_close(importance.effective_size(log_ratio + 2000.0), importance.effective_size(log_ratio))
    assert importance.effective_size(torch.zeros(7)) == 7
