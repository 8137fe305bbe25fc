"""The policy gradient against a loop, against its derivative written out, and against draws; entropy against torch."""

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import policy_gradient, ppo

B, T, V = 3, 7, 5


def double(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_loss_equals_a_loop_and_padding_reaches_neither_loss_nor_gradient():
    logp, advantages, mask = double(0, B, T), double(1, B, T), double(2, B, T) > -0.5
    pairs = zip(logp[mask].tolist(), advantages[mask].tolist())
    by_loops = -sum(p * a for p, a in pairs) / int(mask.sum())
    noisy = logp.where(mask, -torch.inf).requires_grad_()
    loss = policy_gradient.policy_gradient_loss(noisy, advantages.where(mask, torch.nan), mask)
    assert_close(loss.item(), by_loops)
    [gradient] = torch.autograd.grad(loss, noisy)
    assert_close(gradient, torch.where(mask, -advantages / mask.sum(), 0.0))


def test_the_expected_gradient_is_that_of_the_expected_reward_and_a_baseline_leaves_it():
    logits, rewards = double(0, V).requires_grad_(), double(1, V)
    [true] = torch.autograd.grad(logits.softmax(-1) @ rewards, logits)
    chances = logits.detach().softmax(-1)
    for baseline in (0.0, 10.0):
        expected, spread = torch.zeros(V, dtype=torch.float64), 0.0
        for action in range(V):
            logp = logits.log_softmax(-1)[action].view(1, 1)
            advantage = (rewards[action] - baseline).view(1, 1)
            loss = policy_gradient.policy_gradient_loss(logp, advantage, torch.ones(1, 1, dtype=torch.bool))
            [gradient] = torch.autograd.grad(-loss, logits)
            expected += chances[action] * gradient
            spread += chances[action].item() * (gradient - true).square().sum().item()
        assert_close(expected, true)
        if baseline == 0.0:
            without = spread
    assert spread > 3 * without, "a baseline far from the mean makes the draws noisier, and no less right"


def test_no_gradient_reaches_the_advantages():
    advantages = double(1, B, T).requires_grad_()
    mask = torch.ones(B, T, dtype=torch.bool)
    loss = policy_gradient.policy_gradient_loss(double(0, B, T).requires_grad_(), advantages, mask)
    assert torch.autograd.grad(loss, advantages, allow_unused=True) == (None,)


def test_a2c_equals_a_loop_and_teaches_the_critic_by_its_own_part_alone():
    logp, values, entropies, returns = (double(i, B, T).requires_grad_() for i in range(4))
    advantages, mask = double(4, B, T).requires_grad_(), double(5, B, T) > -0.5
    loss = policy_gradient.a2c_loss(logp, values, entropies, advantages, returns, mask, 0.3, 0.7)
    by_loops = 0.0
    for b, t in mask.nonzero().tolist():
        p, v, h, r, a = (x[b, t].item() for x in (logp, values, entropies, returns, advantages))
        by_loops += (-p * a + 0.3 * (v - r) ** 2 / 2 - 0.7 * h) / int(mask.sum())
    assert_close(loss.item(), by_loops)
    slopes = torch.autograd.grad(loss, (values, advantages, returns), allow_unused=True)
    assert_close(slopes[0], (0.3 * (values - returns) / mask.sum()).where(mask, 0.0).detach())
    assert slopes[1:] == (None, None)


def test_entropy_is_torchs():
    logits = double(0, B, T, V)
    assert_close(policy_gradient.entropy(logits), torch.distributions.Categorical(logits=logits).entropy())
    assert_close(policy_gradient.entropy(torch.zeros(V)), torch.tensor(float(V)).log())


@pytest.mark.parametrize("kind", ["kl in the reward, k1", "k1 as a loss", "k2 as a loss", "k3 as a loss"])
def test_which_penalty_has_the_gradient_of_the_divergence(kind):
    """Three tokens, every expectation exact, at a policy that is not the reference (arXiv:2510.01555)."""
    logits, reference = double(0, 3).requires_grad_(), double(1, 3).log_softmax(-1)
    [true] = torch.autograd.grad((logits.softmax(-1) * (logits.log_softmax(-1) - reference)).sum(), logits)
    chances, found = logits.detach().softmax(-1), torch.zeros(3, dtype=torch.float64)
    for action in range(3):
        logp = logits.log_softmax(-1)[action]
        if kind.startswith("kl"):
            penalty = ppo.kl_estimate(logp.detach(), reference[action], "k1")
            loss = penalty * logp
        else:
            loss = ppo.kl_estimate(logp, reference[action], kind[:2])
        found += chances[action] * torch.autograd.grad(loss, logits)[0]
    close = torch.allclose(found, true)
    assert close == (kind in ("kl in the reward, k1", "k2 as a loss"))
    if kind == "k1 as a loss":
        assert_close(found, torch.zeros(3, dtype=torch.float64))
