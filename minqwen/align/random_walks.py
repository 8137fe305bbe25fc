"""Random walks: a small Qwen imitates walks that stray about a graph, and PPO teaches it the short ones.

The task of Chen et al. 2021, "Decision Transformer" (arXiv:2106.01345), section 4.1, in the sizes of trlx's example
(https://github.com/CarperAI/trlx, examples/randomwalks): 21 nodes, 1,000 walks of at most 10 nodes, an edge with
probability 0.1. A token is a node, an answer is a walk, and the best score of each start is known.
"""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.align import answers, gae, ppo, rollout, shaping, update
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rollout import Rollout, Sampling
from minqwen.align.update import Batch, Learned, Learner
from minqwen.model import Qwen, QwenConfig, generate, loss

NODES, LONGEST, GOAL = 21, 10, 0
PAD = 1  # a node like any other: padding is told by its place, so no token has to be set aside for it
SIZE = QwenConfig(
    vocab_size=NODES, d_model=64, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=176, max_length=LONGEST, rope_base=100.0
)
SAMPLING = Sampling(answers=1, max_new_tokens=LONGEST - 1, temperature=1.0, top_p=1.0)
PPO = Settings(
    beta=0.0, missing_end=0.0, value_clip=0.15, value_only=0, minibatches=4, epochs=4, policy_rate=3e-4, value_rate=3e-4
)


class Graph(NamedTuple):
    """edges[a, b]: may one go from a to b? `fewest` nodes lead from a node to the goal, both ends counted."""

    edges: Bool[Tensor, "N N"]
    fewest: Int[Tensor, " N"]


class Iteration(NamedTuple):
    """One iteration in numbers, of the policy that it began with."""

    step: int
    optimality: float
    arrived: float
    kl: float  # nats a walk, from the imitator
    explained: float  # share of the returns' variance that the critic foretold
    clip_share: float
    ratio: float  # max |log ratio| of the first minibatch


def make_graph(generator: torch.Generator, edge: float = 0.1) -> Graph:
    """Edges drawn with probability `edge`, anew until the goal can be reached from everywhere in fewer than 10 nodes.

    Nothing leaves the goal. With 10 nodes as the fewest the best score would be 0 / 0.
    """
    while True:
        edges = torch.rand(NODES, NODES, generator=generator) < edge
        edges.fill_diagonal_(False)
        edges[GOAL] = False
        fewest = _fewest(edges)
        if (fewest < LONGEST).all():
            return Graph(edges, fewest)


def draw_walks(graph: Graph, count: int, generator: torch.Generator) -> Rollout:
    """From any node but the goal, along edges drawn evenly, up to the goal or to 10 nodes."""
    ids = torch.zeros(count, LONGEST, dtype=torch.long)
    ids[:, 0] = torch.randint(1, NODES, (count,), generator=generator)
    chance = graph.edges.float()
    chance[GOAL, GOAL] = 1.0  # only for the draw: what stands behind the goal is cut off below
    for t in range(1, LONGEST):
        ids[:, t] = torch.multinomial(chance[ids[:, t - 1]], 1, generator=generator).squeeze(-1)
    return rollout.finish(ids, torch.ones(count, 1, dtype=torch.bool), GOAL, PAD)


def optimality(graph: Graph, ids: Int[Tensor, "B T"], is_token: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """(10 − nodes) / (10 − fewest nodes): 1 for a shortest walk, 0 without arrival or with a step along no edge."""
    allowed = (graph.edges[ids[:, :-1], ids[:, 1:]] | ~is_token[:, 1:]).all(dim=-1)
    arrived = ((ids == GOAL) & is_token).any(dim=-1)
    share = (LONGEST - is_token.sum(dim=-1)) / (LONGEST - graph.fewest[ids[:, 0]])
    return share.where(allowed & arrived, 0.0)


def imitate(graph: Graph, generator: torch.Generator, walks: int = 1000, epochs: int = 20, rate: float = 3e-3) -> Qwen:
    """A Qwen that has learned to say the next node of random walks, as in pre-training."""
    model = Qwen(SIZE, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    data = draw_walks(graph, walks, generator)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - epoch / epochs)
        for rows in torch.randperm(walks, generator=generator).chunk(walks // 100):
            part = data.rows(rows)
            value = loss.next_token_loss(model(part.ids[:, :-1]), part.ids[:, 1:], part.is_token[:, 1:])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return model


def critic_of(policy: Qwen) -> RewardModel:
    """The value model: the policy's trunk, copied, and a head of zeros, so that at first it foretells 0 everywhere."""
    critic = RewardModel(policy)
    nn.init.zeros_(critic.score.weight)
    return critic


@torch.no_grad()
def walk(policy: Qwen, starts: Int[Tensor, " B"], generator: torch.Generator | None, greedy: bool = False) -> Rollout:
    """The policy's walk from each start."""
    prompts = answers.Prompts(starts[:, None], torch.ones(len(starts), 1, dtype=torch.bool))
    if not greedy:
        return rollout.roll_out(policy, prompts, SAMPLING, GOAL, PAD, generator)
    ids = generate.generate(policy, prompts.ids, LONGEST - 1, temperature=0.0, stop_ids=[GOAL])
    return rollout.finish(ids, prompts.is_token, GOAL, PAD)


def score(policy: Qwen, graph: Graph, generator: torch.Generator | None, each: int = 50, greedy: bool = False) -> float:
    """The mean optimality of so many walks from each start, drawn or likeliest."""
    starts = torch.arange(1, NODES).repeat_interleave(1 if greedy else each)
    walked = walk(policy, starts, generator, greedy)
    return optimality(graph, walked.ids, walked.is_token).mean().item()


def improve(
    policy: Qwen,
    graph: Graph,
    generator: torch.Generator,
    iterations: int = 30,
    rollouts: int = 128,
    settings: Settings = PPO,
) -> Iterator[Iteration]:
    """PPO on `policy`, in place; the only reward is the optimality, at the last node. Rates fall to 0 in a line."""
    reference, critic = copy.deepcopy(policy).requires_grad_(False), critic_of(policy)
    learners = [
        Learner(model, torch.optim.Adam(model.parameters(), eps=1e-5, fused=True)) for model in (policy, critic)
    ]
    for step in range(iterations):
        for learner, rate in zip(learners, (settings.policy_rate, settings.value_rate)):
            for group in learner.optimizer.param_groups:
                group["lr"] = rate * (1 - step / iterations)
        starts = torch.randint(1, NODES, (rollouts,), generator=generator)
        batch, gauges = experience(policy, reference, critic, graph, walk(policy, starts, generator), settings)
        learned = update.learn(*learners, batch, settings, SAMPLING.temperature, generator=generator)
        yield _iteration(step, gauges, learned)


@torch.no_grad()
def experience(
    policy: Qwen, reference: Qwen, critic: RewardModel, graph: Graph, walked: Rollout, settings: Settings
) -> tuple[Batch, dict[str, float]]:
    """Log-probabilities, values, advantages and returns of walks, with γ = 1."""
    mask, scores = walked.is_answer, optimality(graph, walked.ids, walked.is_token)
    logp = rollout.answer_logp(policy, walked)
    kl = ppo.kl_estimate(logp, rollout.answer_logp(reference, walked)).where(mask, 0.0)
    values = rollout.answer_values(critic.values, walked)
    rewards = shaping.token_rewards(scores, kl, mask, settings.beta)
    advantages, returns = gae.gae(rewards, values, 1.0, settings.lam, mask)
    gauges = {
        "optimality": scores.mean().item(),
        "arrived": walked.ended.double().mean().item(),
        "kl": kl.sum(dim=-1).mean().item(),
        "explained": gae.explained_variance(returns, values, mask),
    }
    return Batch(walked, logp, values, gae.whiten(advantages, mask), returns), gauges


def _iteration(step: int, gauges: dict[str, float], learned: Learned) -> Iteration:
    return Iteration(step=step, **gauges, clip_share=learned.clip_share, ratio=learned.ratio)


def _fewest(edges: Bool[Tensor, "N N"]) -> Int[Tensor, " N"]:
    """Nodes of a shortest walk to the goal, breadth first; one more than the longest where none is short enough."""
    fewest = torch.full((NODES,), LONGEST + 1)
    fewest[GOAL] = 1
    for nodes in range(2, LONGEST + 1):
        leads = (edges & (fewest == nodes - 1)).any(dim=-1)
        fewest = torch.where(leads & (fewest > nodes), nodes, fewest)
    return fewest
