"""A2C as the simplest PPO, and what an update leaves alone. Oracles: a2c_loss, a loop over minibatches."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minqwen.align import actor_critic, gae, policy_gradient, ppo
from minqwen.align.actor_critic import Batch, Judged, Settings

B, T, V = 11, 3, 5


def double(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Agent(nn.Module):
    """Logits and a value by one matrix each."""

    def __init__(self):
        super().__init__()
        self.actor, self.critic = nn.Linear(2, V).double(), nn.Linear(2, 1).double()
        with torch.no_grad():
            for i, parameter in enumerate(self.parameters()):
                parameter.copy_(double(i, *parameter.shape))

    def forward(self, observations, actions):
        logits = self.actor(observations)
        logp = logits.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)
        return Judged(logp, self.critic(observations).squeeze(-1), policy_gradient.entropy(logits))


@pytest.fixture
def agent():
    return Agent()


@pytest.fixture
def batch(agent):
    seen = double(10, B, T, 2)
    actions = torch.randint(0, V, (B, T), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        judged = agent(seen, actions)
    mask = double(13, B, T) > -0.7
    return Batch(seen, actions, judged.logp, judged.values, double(11, B, T), double(12, B, T), mask)


def gradients(agent, loss):
    return torch.autograd.grad(loss, list(agent.parameters()))


@pytest.mark.parametrize("clip", [0.2, math.inf])
def test_a2c_is_ppo_with_one_epoch_and_one_minibatch(agent, batch, clip):
    settings = Settings(clip=clip, entropy_weight=0.01)
    judged = agent(batch.observations, batch.actions)
    ours = gradients(agent, actor_critic.losses(judged, batch, settings).loss)
    judged = agent(batch.observations, batch.actions)
    a2c = policy_gradient.a2c_loss(*judged, batch.advantages, batch.returns, batch.mask, entropy_weight=0.01)
    assert_close(ours, gradients(agent, a2c), rtol=1e-12, atol=1e-12)


def test_a_second_step_on_the_same_batch_is_no_longer_a2c(agent, batch):
    actor_critic.update(agent, torch.optim.SGD(agent.parameters(), lr=1.0), batch, actor_critic.A2C)
    judged = agent(batch.observations, batch.actions)
    ours = gradients(agent, actor_critic.losses(judged, batch, Settings()).loss)
    judged = agent(batch.observations, batch.actions)
    a2c = policy_gradient.a2c_loss(*judged, batch.advantages, batch.returns, batch.mask)
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(ours, gradients(agent, a2c)))


def test_an_update_is_a_loop_over_shuffled_minibatches(agent, batch):
    twin = copy.deepcopy(agent)
    settings = Settings(epochs=2, minibatches=3, max_norm=0.1)
    groups = [{"params": part.parameters()} for part in (agent.actor, agent.critic)]  # one norm for both
    actor_critic.update(agent, torch.optim.SGD(groups, 0.5), batch, settings, torch.Generator().manual_seed(7))
    white = batch._replace(advantages=gae.whiten(batch.advantages, batch.mask))
    generator = torch.Generator().manual_seed(7)
    orders = [torch.randperm(B, generator=generator) for _ in range(2)]
    assert not orders[0].equal(orders[1])
    for order in orders:
        for rows in (order[0:4], order[4:8], order[8:11]):
            part = Batch(*(each[rows] for each in white))
            slopes = gradients(twin, actor_critic.losses(twin(part.observations, part.actions), part, settings).loss)
            norm = sum(slope.square().sum() for slope in slopes).sqrt()
            with torch.no_grad():
                for parameter, slope in zip(twin.parameters(), slopes):
                    parameter -= 0.5 * slope * min(1.0, 0.1 / (norm.item() + 1e-6))
    assert_close(list(agent.parameters()), list(twin.parameters()))


def test_the_first_ratio_is_one_and_old_numbers_stay(agent, batch):
    before = copy.deepcopy(batch)
    gauges = actor_critic.update(agent, actor_critic.adam(agent.parameters(), 0.01), batch, Settings())
    assert gauges.first_log_ratio < 1e-12 and gauges.kl > 0
    assert_close(batch, before)
    gauges = actor_critic.update(agent, actor_critic.adam(agent.parameters(), 0.01), batch, Settings())
    assert gauges.first_log_ratio > 1e-3, "a batch of an older policy is told"


def test_the_parts_of_the_loss_are_those_of_ppo_each_with_its_own_clip(agent, batch):
    settings = Settings(clip=0.3, value_clip=0.1, value_weight=0.7, entropy_weight=0.2)
    old = batch._replace(logp=batch.logp + 0.4 * double(20, B, T), values=batch.values + 0.4 * double(21, B, T))
    judged = agent(batch.observations, batch.actions)
    found = actor_critic.losses(judged, old, settings)
    policy = ppo.ppo_clip_loss(judged.logp, old.logp, old.advantages, old.mask, 0.3)
    value = ppo.value_clip_loss(judged.values, old.values, old.returns, old.mask, 0.1)
    entropy = judged.entropy[old.mask].mean()
    assert_close(found.loss, policy.loss + 0.7 * value - 0.2 * entropy)
    assert_close(tuple(found[1:]), (policy.loss, value, entropy, policy.clip_share, policy.kl))


def test_the_gauges_are_means_over_the_minibatches_and_padding_is_in_none(agent, batch):
    old = batch._replace(logp=(batch.logp + 0.1 * double(20, B, T)).where(batch.mask, -50.0))
    settings = Settings(epochs=1, minibatches=1, entropy_weight=0.1)
    white = old._replace(advantages=gae.whiten(old.advantages, old.mask))
    expected = actor_critic.losses(agent(batch.observations, batch.actions), white, settings)
    gauges = actor_critic.update(agent, torch.optim.SGD(agent.parameters(), 0.0), old, settings)
    assert gauges.clip_share == pytest.approx(expected.clip_share.item())
    assert gauges.kl == pytest.approx(expected.kl.item()) and gauges.kl != gauges.clip_share
    assert (gauges.entropy, gauges.value_loss) == pytest.approx((expected.entropy.item(), expected.value.item()))
    assert gauges.explained == gae.explained_variance(batch.returns, batch.values, batch.mask)
    assert gauges.first_log_ratio == pytest.approx((0.1 * double(20, B, T))[batch.mask].abs().max().item())


def test_the_settings_are_those_of_the_first_implementation():
    assert Settings() == (0.2, 4, 4, 0.5, math.inf, 0.0, 0.5)
    assert Settings(clip=math.inf, epochs=1, minibatches=1) == actor_critic.A2C


def test_explained_variance_is_one_for_a_perfect_critic_and_zero_for_an_even_one(batch):
    assert gae.explained_variance(batch.returns, batch.returns + 3.0, batch.mask) == pytest.approx(1.0)
    assert gae.explained_variance(batch.returns, torch.ones_like(batch.values), batch.mask) == pytest.approx(0.0)


def test_adam_has_the_epsilon_of_the_first_implementation(agent):
    [group] = actor_critic.adam(agent.parameters(), 0.25).param_groups
    assert group["eps"] == 1e-5 and group["lr"] == 0.25
