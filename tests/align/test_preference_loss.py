"""The loss of pairs against its formula in plain numbers, and at its ends."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import reward


def pair(chosen, rejected):
    return torch.tensor(chosen, dtype=torch.float64), torch.tensor(rejected, dtype=torch.float64)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_it_equals_the_formula(margin):
    chosen, rejected = [0.3, -1.0, 2.0], [0.1, 1.0, -3.0]
    by_hand = [-math.log(1 / (1 + math.exp(-(c - r - margin)))) for c, r in zip(chosen, rejected)]
    assert_close(reward.preference_loss(*pair(chosen, rejected), margin).item(), sum(by_hand) / 3)


def test_equal_scores_cost_log_two_and_only_the_difference_counts():
    assert_close(reward.preference_loss(*pair([1.0], [1.0])).item(), math.log(2))
    assert_close(reward.preference_loss(*pair([3.0], [1.0])), reward.preference_loss(*pair([13.0], [11.0])))


def test_a_hopeless_pair_costs_its_gap_and_overflows_nowhere():
    assert_close(reward.preference_loss(*pair([0.0], [1e4])).item(), 1e4)
    assert reward.preference_loss(*pair([1e4], [0.0])) == 0


def test_the_gradient_is_the_probability_of_being_wrong():
    chosen, rejected = (each.requires_grad_() for each in pair([0.5, -1.0], [0.0, 1.0]))
    up, down = torch.autograd.grad(reward.preference_loss(chosen, rejected), (chosen, rejected))
    assert_close(up, -torch.sigmoid(rejected - chosen) / 2)
    assert_close(down, -up)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(bad):
    for given in (pair([bad], [0.0]), pair([0.0], [bad])):
        with pytest.raises(ValueError, match="lower the rate"):
            reward.preference_loss(*given)


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match="reward the worse answer"):
        reward.preference_loss(*pair([1.0], [0.0]), -0.1)
