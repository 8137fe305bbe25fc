"""CartPole: where episodes end, what stands in for the rest of one, and a first run. Oracle: one cart at a time."""

import gymnasium
import pytest
import torch
from torch.testing import assert_close

from minqwen.align import cartpole
from minqwen.align.cartpole import Agent, Method, Stage


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def agent():
    return Agent(seeded())


def test_the_actor_starts_almost_even_and_the_critic_at_zero(agent):
    seen = torch.randn(7, 3, 4, generator=seeded(1))
    judged = agent(seen, torch.zeros(7, 3, dtype=torch.long))
    assert (judged.values == 0).all()
    assert_close(judged.logp.exp(), torch.full((7, 3), 0.5), atol=0.02, rtol=0)
    weight = agent.actor[0].weight.detach()
    assert_close(weight.T @ weight, 2 * torch.eye(4), atol=1e-5, rtol=0)


def test_every_step_is_that_of_a_single_cart(agent):
    rollout = Stage(carts=5, seed=0).play(agent, 60, seeded())
    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=0)
    checked = 0
    for n, t in rollout.mask.nonzero().tolist():
        env.state, env.steps_beyond_terminated = rollout.observations[n, t].double().numpy(), None
        after, reward, fell, *_ = env.step(int(rollout.actions[n, t]))
        assert_close(torch.from_numpy(after), rollout.after[n, t], atol=1e-5, rtol=0)
        assert reward == rollout.rewards[n, t] and fell == rollout.fell[n, t]
        checked += 1
    assert checked > 250 and rollout.fell.any()


def test_the_step_after_a_fall_is_masked_and_nothing_else(agent):
    rollout = Stage(carts=5, seed=0).play(agent, 60, seeded())
    before = rollout.fell | (rollout.cut & (torch.arange(60) < 59))
    assert rollout.mask[:, 1:].equal(~before[:, :-1])
    assert rollout.cut[:, -1].equal(rollout.mask[:, -1] & ~rollout.fell[:, -1])


def test_a_second_rollout_goes_on_where_the_first_ended(agent):
    stage = Stage(carts=3, seed=0)
    first, second = stage.play(agent, 20, seeded()), stage.play(agent, 20, seeded())
    assert second.observations[:, 0].equal(first.after[:, -1])
    assert second.mask[:, 0].equal(~first.fell[:, -1])


def test_an_episode_that_was_cut_off_goes_on_in_the_critics_eyes_and_a_fallen_one_does_not(agent):
    with torch.no_grad():
        agent.critic[-1].bias.fill_(10.0)  # the critic says 10 everywhere
    rollout = Stage(carts=3, seed=0).play(agent, 40, seeded())
    method = Method(gamma=0.9, lam=1.0)
    returns = cartpole.experience(agent, rollout, method).returns.view(3, 40)
    for n in range(3):
        to_come = 0.0
        for t in reversed(range(40)):
            if not rollout.mask[n, t]:
                assert returns[n, t] == 0
                continue
            if rollout.fell[n, t]:
                to_come = 0.0
            elif rollout.cut[n, t]:
                to_come = 10.0
            to_come = 1.0 + 0.9 * to_come
            assert_close(returns[n, t].item(), to_come, atol=1e-4, rtol=0)
    assert rollout.fell.any() and rollout.cut.any()


def test_without_a_critic_returns_are_the_rewards_to_come(agent):
    rollout = Stage(carts=3, seed=0).play(agent, 40, seeded())
    batch = cartpole.experience(agent, rollout, cartpole.METHODS["policy gradient"])
    assert (batch.values == 0).all() and batch.advantages.equal(batch.returns)


def test_an_episode_ends_after_500_steps_and_is_cut_there():
    class Balancing(Agent):
        """Pushes to where the pole leans."""

        def __init__(self):
            super().__init__()
            self.actor = torch.nn.Linear(4, 2, bias=False)
            with torch.no_grad():
                self.actor.weight.copy_(torch.tensor([[0.0] * 4, [0.05, 0.3, 9.0, 3.0]]))

    rollout = Stage(carts=2, seed=0).play(Balancing(), 510, greedy=True)
    assert not rollout.fell.any() and rollout.cut[:, 499].all() and not rollout.mask[:, 500].any()
    assert rollout.cut.sum() == 4, "and once more at the end of the rollout"
    assert cartpole.greedy_return(Balancing(), episodes=3) == 500


def test_the_greedy_return_counts_steps_up_to_the_first_fall(agent):
    found = cartpole.greedy_return(agent, episodes=1, seed=5)
    stage, steps = Stage(1, 5), 0
    while True:
        rollout, steps = stage.play(agent, 1, greedy=True), steps + 1
        if rollout.fell.any():
            break
    assert found == steps


def test_a_run_repeats_itself_and_learns():
    def run(total):
        *_, (steps, agent, gauges) = cartpole.train(cartpole.METHODS["PPO"], 3e-3, seed=0, total=total)
        return steps, agent, gauges

    (steps, one, gauges), (_, other, _) = run(2_048), run(2_048)
    assert steps == 2_048 and all(map(torch.equal, one.parameters(), other.parameters()))
    assert gauges.first_log_ratio < 1e-6
    assert cartpole.greedy_return(run(12_288)[1]) > 60, "a policy that knows nothing keeps the pole up about 10 steps"
