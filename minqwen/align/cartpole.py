"""CartPole: push a cart left or right so that the pole on it stays up, 500 steps at most, one point a step.

Barto, Sutton and Anderson 1983 (https://doi.org/10.1109/TSMC.1983.6313077), in gymnasium's version. Agent and loop
follow Huang et al. 2022, https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/: orthogonal weights,
an actor that starts almost even, a rate that falls to 0. Ours: the critic starts at 0, and episodes that were cut off
go on in the critic's eyes.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import gymnasium
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.align import actor_critic, gae, policy_gradient
from minqwen.align.actor_critic import Batch, Gauges, Judged, Settings

LIMIT = 500  # steps of an episode


class Method(NamedTuple):
    """A way to learn: how a batch is used, how many carts and steps make one, and whether a critic takes part."""

    settings: Settings = Settings()
    carts: int = 16
    steps: int = 64
    has_critic: bool = True
    gamma: float = 0.99
    lam: float = 0.95


METHODS = {
    "PPO": Method(),
    "no clip": Method(Settings(clip=math.inf)),
    "A2C": Method(actor_critic.A2C, steps=8),
    "policy gradient": Method(actor_critic.A2C, carts=4, steps=256, has_critic=False, lam=1.0),
}


class Agent(nn.Module):
    """Two small networks over the four numbers that describe cart and pole: an actor and a critic."""

    def __init__(self, generator: torch.Generator | None = None, width: int = 64):
        super().__init__()
        self.actor = _network(2, 0.01, width, generator)
        self.critic = _network(1, 0.0, width, generator)

    def forward(self, observations: Float[Tensor, "B T 4"], actions: Int[Tensor, "B T"]) -> Judged:
        """What actor and critic say of these actions."""
        logits, values = self.actor(observations), self.critic(observations).squeeze(-1)
        logp = logits.log_softmax(dim=-1).gather(-1, actions[..., None]).squeeze(-1)
        return Judged(logp, values, policy_gradient.entropy(logits))


class Rollout(NamedTuple):
    """N carts, T steps. Where `mask` is False the pole had fallen, and the step only set a new one up."""

    observations: Float[Tensor, "N T 4"]
    actions: Int[Tensor, "N T"]
    rewards: Float[Tensor, "N T"]
    fell: Bool[Tensor, "N T"]
    cut: Bool[Tensor, "N T"]  # out of time, or the rollout's last step: the pole still stood
    after: Float[Tensor, "N T 4"]  # what was seen after the action
    mask: Bool[Tensor, "N T"]


class Stage:
    """Carts that go on from one rollout to the next."""

    def __init__(self, carts: int, seed: int):
        self._envs = gymnasium.make_vec("CartPole-v1", num_envs=carts, vectorization_mode="vector_entry_point")
        self._seen = torch.from_numpy(self._envs.reset(seed=seed)[0])
        self._over = torch.zeros(carts, dtype=torch.bool)

    @torch.no_grad()
    def play(self, agent: Agent, steps: int, generator: torch.Generator | None = None, greedy: bool = False) -> Rollout:
        """The next steps of every cart, actions drawn from the actor, or its likeliest."""
        taken = []
        for _ in range(steps):
            logits = agent.actor(self._seen)
            probs = logits.softmax(dim=-1)
            action = logits.argmax(-1) if greedy else torch.multinomial(probs, 1, generator=generator).squeeze(-1)
            after, reward, fell, late, _ = self._envs.step(action.numpy())
            after, fell, late = torch.from_numpy(after), torch.from_numpy(fell), torch.from_numpy(late)
            taken.append((self._seen, action, torch.from_numpy(reward), fell, late & ~fell, after, ~self._over))
            self._seen, self._over = after, fell | late
        rollout = Rollout(*(torch.stack(column, dim=1) for column in zip(*taken)))
        rollout.cut[:, -1] = rollout.mask[:, -1] & ~rollout.fell[:, -1]
        return rollout


@torch.no_grad()
def experience(agent: Agent, rollout: Rollout, method: Method) -> Batch:
    """Advantages and returns, a row a step.

    An episode that was cut off would have gone on: γ V(after) is added to its last reward, so that advantages may end
    there as if it had ended. One that fell has nothing to come.
    """
    judged = agent(rollout.observations, rollout.actions)
    values, to_come = judged.values, agent.critic(rollout.after).squeeze(-1)
    if not method.has_critic:
        values, to_come = torch.zeros_like(values), torch.zeros_like(to_come)
    rewards = rollout.rewards + method.gamma * to_come.where(rollout.cut, 0.0)
    advantages, returns = gae.gae(rewards, values, method.gamma, method.lam, rollout.mask)
    columns = (rollout.actions, judged.logp, values, advantages, returns, rollout.mask)
    actions, logp, values, advantages, returns, mask = (column.flatten()[:, None] for column in columns)
    return Batch(rollout.observations.flatten(0, 1)[:, None], actions, logp, values, advantages, returns, mask)


def train(method: Method, rate: float, seed: int, total: int = 150_000) -> Iterator[tuple[int, Agent, Gauges]]:
    """Steps so far, the agent, and the gauges of its last update; the rate falls to 0 in equal parts."""
    generator = torch.Generator().manual_seed(seed)
    agent, stage = Agent(generator), Stage(method.carts, seed)
    optimizer = actor_critic.adam(agent.parameters(), rate)
    each = method.carts * method.steps
    rounds = total // each
    for done in range(rounds):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - done / rounds)
        batch = experience(agent, stage.play(agent, method.steps, generator), method)
        gauges = actor_critic.update(agent, optimizer, batch, method.settings, generator)
        yield (done + 1) * each, agent, gauges


def greedy_return(agent: Agent, episodes: int = 100, seed: int = 1_000_000) -> float:
    """How many steps the pole stays up on average when the likeliest action is taken: 500 at best."""
    played = Stage(episodes, seed).play(agent, LIMIT, greedy=True)
    first = played.fell.int().cumsum(dim=1) - played.fell.int() == 0  # up to the first fall
    return first.sum(dim=1).float().mean().item()


def _network(outputs: int, last_gain: float, width: int, generator: torch.Generator | None) -> nn.Sequential:
    sizes, gains = (4, width, width, outputs), (2**0.5, 2**0.5, last_gain)
    layers: list[nn.Module] = []
    for i, gain in enumerate(gains):
        linear = nn.Linear(sizes[i], sizes[i + 1])
        nn.init.orthogonal_(linear.weight, gain, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])
