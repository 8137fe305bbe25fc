"""Advantages against the sum of their definition; whitening against published numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from minqwen.align import gae

B, T = 3, 7


def double(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spans(first, last):
    """True from first to last of each row."""
    at = torch.arange(T)
    return (at >= torch.tensor(first)[:, None]) & (at <= torch.tensor(last)[:, None])


@settings(deadline=None)  # the first call of torch alone may take half a second
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_advantages_equal_the_sum_of_their_definition(gamma, lam, seed):
    rewards, values, mask = double(seed, B, T), double(seed + 10, B, T), spans([0, 2, 4], [6, 5, 4])
    found = gae.gae(rewards, values, gamma, lam, mask)
    expected = torch.zeros_like(rewards)
    for b, (r, v) in enumerate(zip(rewards.tolist(), values.tolist())):
        inside = mask[b].nonzero().flatten().tolist()
        for t in inside:
            for k in range(t, inside[-1] + 1):
                ahead = v[k + 1] if k < inside[-1] else 0.0
                expected[b, t] += (gamma * lam) ** (k - t) * (r[k] + gamma * ahead - v[k])
    assert_close(found.advantages, expected, rtol=1e-9, atol=1e-12)
    assert_close(found.returns, torch.where(mask, found.advantages + values, 0.0))
    assert (found.advantages[~mask] == 0).all()


def test_a_case_by_hand():
    x = torch.tensor([[0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    found = gae.gae(x, x, 0.9, 0.95, torch.ones(1, 4, dtype=torch.bool))
    assert_close(found.returns[0], torch.tensor([0.6579225, 0.7695, 0.9, 1.0], dtype=torch.float64))


def test_lambda_one_is_the_sum_of_rewards_less_the_value_and_lambda_zero_one_step():
    rewards, values, mask = double(0, B, T), double(1, B, T), torch.ones(B, T, dtype=torch.bool)
    to_come = rewards.flip(-1).cumsum(-1).flip(-1)
    assert_close(gae.gae(rewards, values, 1.0, 1.0, mask).advantages, to_come - values)
    ahead = torch.cat([values[:, 1:], torch.zeros(B, 1, dtype=torch.float64)], dim=-1)
    assert_close(gae.gae(rewards, values, 0.9, 0.0, mask).advantages, rewards + 0.9 * ahead - values)


def test_what_stands_outside_the_mask_changes_nothing():
    rewards, values, mask = double(0, B, T), double(1, B, T), spans([1, 0, 3], [5, 2, 3])
    found = gae.gae(rewards, values, 1.0, 0.95, mask)
    noisy = gae.gae(rewards.where(mask, torch.nan), values.where(mask, torch.inf), 1.0, 0.95, mask)
    assert_close(noisy, found)


def test_a_gap_in_the_mask_parts_two_episodes():
    rewards, values, mask = double(0, B, T), double(1, B, T), torch.ones(B, T, dtype=torch.bool)
    mask[:, 3] = False
    found = gae.gae(rewards, values, 0.9, 0.95, mask)
    for part in (slice(0, 3), slice(4, T)):
        alone = gae.gae(rewards[:, part], values[:, part], 0.9, 0.95, mask[:, part])
        assert_close(found.advantages[:, part], alone.advantages)
        assert_close(found.returns[:, part], alone.returns)


def test_no_gradient_reaches_the_values():
    values = double(1, B, T).requires_grad_()
    found = gae.gae(double(0, B, T), values, 1.0, 0.95, torch.ones(B, T, dtype=torch.bool))
    assert not found.advantages.requires_grad and not found.returns.requires_grad


def test_whitening_gives_mean_zero_and_variance_one():
    x, mask = double(2, B, T) * 5 + 3, spans([0, 2, 4], [6, 5, 4])
    white = gae.whiten(x, mask)
    assert_close(white[mask].mean().item(), 0.0, atol=1e-12, rtol=0)
    assert_close(white[mask].var(correction=0).item(), 1.0)
    assert (white[~mask] == 0).all()
    assert_close(gae.whiten(x.where(mask, torch.nan), mask), white)


def test_rewards_keep_their_mean():
    # Published: Huang et al. 2023, "The N Implementation Details of RLHF with PPO", the detail on whitening.
    x = torch.tensor([[1.2, 1.3, 1.4], [1.5, 1.6, 1.7], [1.8, 1.9, 2.0]])
    white = gae.whiten(x, torch.ones(3, 3, dtype=torch.bool), shift_mean=False)
    assert_close(white[0], torch.tensor([0.0508, 0.4381, 0.8254]), atol=5e-5, rtol=0)


def test_equal_rewards_and_empty_masks_give_no_nan():
    assert (gae.whiten(torch.full((2, 3), 7.0), torch.ones(2, 3, dtype=torch.bool)) == 0).all()
    assert (gae.whiten(torch.full((2, 3), 7.0), torch.zeros(2, 3, dtype=torch.bool)) == 0).all()


def test_explained_variance_is_that_of_the_definition_inside_the_mask():
    returns, values, mask = 3 * double(0, B, T), double(1, B, T), spans([0, 2, 4], [6, 5, 4])
    r, v = returns[mask].tolist(), values[mask].tolist()
    rest, mean = [a - b for a, b in zip(r, v)], sum(r) / len(r)
    of = lambda xs: sum((x - sum(xs) / len(xs)) ** 2 for x in xs)  # noqa: E731
    found = gae.explained_variance(returns.where(mask, 1e6), values.where(mask, -1e6), mask)
    assert found == pytest.approx(1 - of(rest) / of(r))
    assert gae.explained_variance(returns, returns + 5, mask) == 1.0
    assert gae.explained_variance(returns, torch.full_like(values, mean), mask) == pytest.approx(0.0)


@pytest.mark.parametrize(("gamma", "lam"), [(1.1, 0.9), (0.9, -0.1)])
def test_rates_outside_their_range_are_refused(gamma, lam):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        gae.gae(double(0, B, T), double(1, B, T), gamma, lam, torch.ones(B, T, dtype=torch.bool))
