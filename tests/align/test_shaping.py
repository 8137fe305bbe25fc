"""Rewards by token. Oracles: plain loops, and hand-made numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from minqwen.align import ppo, shaping


def by_loops(scores, kl, mask, beta):
    rows = []
    for score, row, real in zip(scores.tolist(), kl.tolist(), mask.tolist()):
        last = max((t for t, each in enumerate(real) if each), default=None)
        rows.append(
            [(-beta * k if r else 0.0) + (score if t == last else 0.0) for t, (k, r) in enumerate(zip(row, real))]
        )
    return torch.tensor(rows, dtype=scores.dtype)


@given(st.integers(0, 10**6))
@settings(deadline=None)
def test_token_rewards_by_loops(seed):
    rng = torch.Generator().manual_seed(seed)
    scores, kl = torch.randn(5, generator=rng).double(), torch.randn(5, 7, generator=rng).double()
    mask = torch.arange(7) < torch.randint(0, 8, (5, 1), generator=rng)
    assert_close(shaping.token_rewards(scores, kl, mask, 0.04), by_loops(scores, kl, mask, 0.04))


def test_token_rewards_by_hand():
    mask = torch.tensor([[True, True, True, False]])
    kl = torch.tensor([[0.5, -0.25, 1.0, 9.0]])
    rewards = shaping.token_rewards(torch.tensor([2.0]), kl, mask, beta=0.1)
    assert_close(rewards, torch.tensor([[-0.05, 0.025, 1.9, 0.0]]))


def test_the_rewards_of_an_answer_add_up_to_its_score_less_beta_kl():
    rng = torch.Generator().manual_seed(0)
    logp, logp_ref = (torch.randn(3, 5, generator=rng) for _ in range(2))
    kl, mask = ppo.kl_estimate(logp, logp_ref), torch.arange(5) < torch.tensor([[2], [3], [5]])
    scores = torch.tensor([1.0, -1.0, 0.5])
    total = shaping.token_rewards(scores, kl, mask, 0.2).sum(-1)
    assert_close(total, scores - 0.2 * kl.where(mask, 0.0).sum(-1))


@pytest.mark.parametrize("outside", [float("nan"), float("inf"), 1e9])
def test_what_stands_after_the_end_pays_nothing(outside):
    mask = torch.tensor([[True, True, False]])
    kl = torch.tensor([[0.5, 0.5, outside]])
    assert shaping.token_rewards(torch.tensor([1.0]), kl, mask, 0.1)[0, 2] == 0


def test_a_running_mean_is_the_mean_of_all_so_far():
    rng, mean, seen = torch.Generator().manual_seed(0), shaping.RunningMean(), []
    for size in (3, 5, 2):
        scores = torch.randn(size, generator=rng, dtype=torch.float64)
        seen += scores.tolist()
        assert_close(mean.centre(scores), scores - sum(seen) / len(seen))
