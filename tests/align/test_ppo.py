"""PPO's losses against a loop over tokens, the four cases of the sign by hand, and the true KL divergence."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import ppo

B, T = 3, 7


def double(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask_of(seed=5):
    return double(seed, B, T) > -0.5


def one(value):
    return torch.tensor([[value]], dtype=torch.float64)


YES = torch.ones(1, 1, dtype=torch.bool)


def test_the_loss_equals_a_loop_over_tokens():
    logp, old, advantages, mask = double(0, B, T), double(1, B, T), double(2, B, T), mask_of()
    total, clipped, count = 0.0, 0, 0
    for b in range(B):
        for t in range(T):
            if mask[b, t]:
                ratio, a = math.exp(logp[b, t] - old[b, t]), advantages[b, t].item()
                free, bound = ratio * a, min(max(ratio, 0.8), 1.2) * a
                total, clipped, count = total - min(free, bound), clipped + (bound < free), count + 1
    found = ppo.ppo_clip_loss(logp, old, advantages, mask)
    assert_close(found.loss.item(), total / count)
    assert_close(found.clip_share.item(), clipped / count)
    assert found.kl > 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "moves"),
    [
        pytest.param(1.5, 2.0, -2.4, False, id="good, and said more often already: clipped"),
        pytest.param(0.5, 2.0, -1.0, True, id="good, and said less often: pushed"),
        pytest.param(1.5, -2.0, 3.0, True, id="bad, and said more often: pushed"),
        pytest.param(0.5, -2.0, 1.6, False, id="bad, and said less often already: clipped"),
    ],
)
def test_the_four_cases_of_the_sign(ratio, advantage, loss, moves):
    logp = one(math.log(ratio)).requires_grad_()
    found = ppo.ppo_clip_loss(logp, one(0.0), one(advantage), YES)
    assert_close(found.loss.item(), loss)
    [gradient] = torch.autograd.grad(found.loss, logp)
    assert_close(gradient.item(), -ratio * advantage if moves else 0.0)
    assert found.clip_share == (not moves)


def test_at_the_old_policy_the_gradient_is_that_of_the_policy_gradient():
    logp, advantages, mask = double(0, B, T).requires_grad_(), double(2, B, T), mask_of()
    found = ppo.ppo_clip_loss(logp, logp.detach(), advantages, mask)
    [gradient] = torch.autograd.grad(found.loss, logp)
    assert_close(gradient, torch.where(mask, -advantages / mask.sum(), 0.0))
    assert found.clip_share == 0 and found.kl == 0


def test_the_gradient_is_that_of_finite_differences():
    # Away from the corners of the clip, where there is none.
    logp, old = double(0, B, T), double(1, B, T)
    assert torch.autograd.gradcheck(
        lambda logp: ppo.ppo_clip_loss(logp, old, double(2, B, T), mask_of()).loss, logp.requires_grad_()
    )


@pytest.mark.parametrize("outside", [-1e9, 1e9])
def test_padding_reaches_neither_loss_nor_gradient(outside):
    logp, old, advantages, mask = double(0, B, T), double(1, B, T), double(2, B, T), mask_of()
    clean = ppo.ppo_clip_loss(logp, old, advantages, mask)
    worse = logp.where(mask, outside).requires_grad_()
    found = ppo.ppo_clip_loss(worse, old.where(mask, 5.0), advantages.where(mask, torch.nan), mask)
    assert_close(found, clean)
    [gradient] = torch.autograd.grad(found.loss, worse)
    assert gradient.isfinite().all() and (gradient[~mask] == 0).all()


def test_advantages_and_old_probabilities_get_no_gradient():
    old, advantages = double(1, B, T).requires_grad_(), double(2, B, T).requires_grad_()
    loss = ppo.ppo_clip_loss(double(0, B, T).requires_grad_(), old, advantages, mask_of()).loss
    assert torch.autograd.grad(loss, (old, advantages), allow_unused=True) == (None, None)


def test_a_batch_without_answers_has_loss_zero():
    none = torch.zeros(B, T, dtype=torch.bool)
    assert ppo.ppo_clip_loss(double(0, B, T), double(1, B, T), double(2, B, T), none).loss == 0
    assert ppo.value_clip_loss(double(0, B, T), double(1, B, T), double(2, B, T), none, 0.15) == 0


def test_the_value_loss_equals_a_loop_over_tokens():
    values, old, returns, mask = double(0, B, T), double(1, B, T), double(2, B, T), mask_of()
    total, count = 0.0, 0
    for v, o, r in zip(values[mask].tolist(), old[mask].tolist(), returns[mask].tolist()):
        near = min(max(v, o - 0.15), o + 0.15)
        total, count = total + max((v - r) ** 2, (near - r) ** 2) / 2, count + 1
    assert_close(ppo.value_clip_loss(values, old, returns, mask, 0.15).item(), total / count)


@pytest.mark.parametrize(
    ("value", "old", "moves"),
    [
        pytest.param(1.1, 1.0, True, id="near the old value"),
        pytest.param(1.5, 1.0, False, id="far on the way to the return: held"),
        pytest.param(0.5, 1.0, True, id="far on the wrong way: brought back"),
    ],
)
def test_a_value_that_has_moved_far_towards_its_return_is_held(value, old, moves):
    value = one(value).requires_grad_()
    [gradient] = torch.autograd.grad(ppo.value_clip_loss(value, one(old), one(2.0), YES, 0.2), value)
    assert_close(gradient.item(), value.item() - 2 if moves else 0.0)


def test_returns_and_old_values_get_no_gradient():
    old, returns = double(1, B, T).requires_grad_(), double(2, B, T).requires_grad_()
    loss = ppo.value_clip_loss(double(0, B, T).requires_grad_(), old, returns, mask_of(), 0.15)
    assert torch.autograd.grad(loss, (old, returns), allow_unused=True) == (None, None)


def test_the_estimators_of_the_divergence():
    p, q = double(0, 50).log_softmax(-1), (double(0, 50) + 0.3 * double(1, 50)).log_softmax(-1)
    true = (p.exp() * (p - q)).sum()
    expected = {kind: (p.exp() * ppo.kl_estimate(p, q, kind)).sum() for kind in ppo.KINDS}
    assert_close(expected["k1"], true)
    assert_close(expected["k3"], true)
    assert abs(expected["k2"] - true) > 1e-4, "biased"
    assert_close(expected["k2"], true, rtol=0.2, atol=0)
    assert (ppo.kl_estimate(p, q, "k3") >= 0).all() and (ppo.kl_estimate(p, q, "k1") < 0).any()


def test_of_the_estimators_as_a_loss_only_k2_has_the_gradient_of_the_divergence():
    theta, ref = double(0, 3).requires_grad_(), double(1, 3).log_softmax(-1)
    logp = theta.log_softmax(-1)
    drawn = logp.exp().detach()  # the share with which each is drawn: draws have no gradient

    def gradient(loss):
        return torch.autograd.grad(loss, theta, retain_graph=True)[0]

    true = gradient((logp.exp() * (logp - ref)).sum())
    found = {kind: gradient((drawn * ppo.kl_estimate(logp, ref, kind)).sum()) for kind in ppo.KINDS}
    assert_close(found["k2"], true)
    assert_close(found["k1"], torch.zeros_like(true), atol=1e-12, rtol=0)
    assert_close(found["k3"], gradient((ref.exp() * (ref - logp)).sum()))  # that of KL(ref ‖ π)
    in_the_reward = gradient((drawn * ppo.kl_estimate(logp, ref).detach() * logp).sum())
    assert_close(in_the_reward, true)
    assert (found["k3"] - true).abs().max() > 0.05


def test_k3_keeps_its_digits_near_zero():
    d = torch.tensor([1e-4])
    assert_close(ppo.kl_estimate(d, torch.zeros(1), "k3"), d.square() / 2, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ppo.ppo_clip_loss(one(0.0), one(0.0), one(0.0), YES, 0.0),
        lambda: ppo.value_clip_loss(one(0.0), one(0.0), one(0.0), YES, -1.0),
        lambda: ppo.kl_estimate(one(0.0), one(0.0), "k4"),
    ],
)
def test_a_setting_that_cannot_work_is_told_the_usual_one(call):
    with pytest.raises(ValueError, match=r"usual|report|choose one of"):
        call()
