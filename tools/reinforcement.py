"""Experiments on reinforcement learning: CartPole by four methods, random walks by four, each at three rates.

Schulman et al. 2017 (arXiv:1707.06347), section 1, calls PPO stable, simple to tune and sample-efficient; each of these
is a number in the log that `evidence.py` writes.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from minqwen.align import cartpole, random_walks
from minqwen.model import Qwen

RATES = ("3e-4", "1e-3", "3e-3")
_CHANGES = {
    "PPO": "the clipped loss, 4 epochs of 4 minibatches",
    "no clip": "the same, with a clip of infinity",
    "A2C": "each step used once: one epoch, one minibatch, a batch of 128 steps in place of 1,024",
    "policy gradient": "no critic: discounted sums of rewards, whitened; one update for 1,024 steps",
}
_EXPECTED = {
    "PPO": "a greedy mean of 475 or more at the end, at every rate and seed",
    "no clip": "falls at the largest rate",
    "A2C": "reaches 475 later than PPO, and not at every rate",
    "policy gradient": "does not reach 475 within the steps at the smallest rate",
}
CARTPOLE = {"steps": 150_000, "evaluate_every": 15_000, "episodes": 100}
CARTPOLE_VARIANTS = {
    f"{name}, {rate}": {"change": f"{_CHANGES[name]}; rate {rate}", "expected": _EXPECTED[name]}
    for rate in RATES
    for name in cartpole.METHODS
}


def measure_cartpole(variant: str, recipe: Mapping[str, Any], seed: int, prepared: None) -> list[dict[str, Any]]:
    """Greedy mean over many episodes, and the gauges of the update before, about every so many steps."""
    name, rate = variant.split(", ")
    records: list[dict[str, Any]] = []
    for steps, agent, gauges in cartpole.train(cartpole.METHODS[name], float(rate), seed, recipe["steps"]):
        at = (len(records) + 1) * recipe["evaluate_every"]
        if steps + 1024 > at:
            greedy = cartpole.greedy_return(agent, recipe["episodes"])
            records.append({"step": at, "greedy": greedy, **gauges._asdict()})
    return records


WALK_SETTINGS = {
    "PPO": random_walks.PPO,
    "no clip": replace(random_walks.PPO, clip=math.inf),
    "no value clip": replace(random_walks.PPO, value_clip=math.inf),
    "A2C": replace(random_walks.PPO, clip=math.inf, value_clip=math.inf, epochs=1, minibatches=1),
}
_WALK_CHANGES = {
    "PPO": "128 walks are used for 4 epochs of 4 minibatches, with the clip",
    "no clip": "the same, with a clip of infinity for the policy",
    "no value clip": "the same as PPO, with a clip of infinity for the critic in place of 0.15",
    "A2C": "128 walks are used once, whole, for one step, without a clip",
}
_WALK_EXPECTED = {
    "PPO": "0.2 or more above the imitator, at every rate and seed",
    "no clip": "falls at the largest rate",
    "no value clip": "less stable: a lower mean, or a wider spread over the seeds",
    "A2C": "learns less from as many walks",
}
RANDOM_WALKS = {"seeds": 5, "iterations": 30, "rollouts": 128, "evaluate_every": 5, "walks_a_start": 50}
RANDOM_WALKS_VARIANTS = {
    f"{name}, {rate}": {"change": f"{_WALK_CHANGES[name]}; rate {rate}", "expected": _WALK_EXPECTED[name]}
    for rate in RATES
    for name in WALK_SETTINGS
}


def prepare_walks(recipe: Mapping[str, Any]) -> list[tuple[random_walks.Graph, Qwen]]:
    """For each seed a graph and a model that imitates walks on it: every variant begins with a copy of that model."""
    made = []
    for seed in range(recipe["seeds"]):
        generator = torch.Generator().manual_seed(seed)
        graph = random_walks.make_graph(generator)
        made.append((graph, random_walks.imitate(graph, generator)))
    return made


def measure_walks(
    variant: str, recipe: Mapping[str, Any], seed: int, prepared: list[tuple[random_walks.Graph, Qwen]]
) -> list[dict[str, Any]]:
    """Mean optimality of drawn and of likeliest walks, and the gauges of the iteration before, every few iterations."""
    name, rate = variant.split(", ")
    settings = replace(WALK_SETTINGS[name], policy_rate=float(rate), value_rate=float(rate))
    graph, imitator = prepared[seed]
    policy, generator = copy.deepcopy(imitator), torch.Generator().manual_seed(seed)

    def scores() -> dict[str, float]:
        fresh = torch.Generator().manual_seed(1_000_000)
        drawn = random_walks.score(policy, graph, fresh, recipe["walks_a_start"])
        return {"optimality": drawn, "greedy": random_walks.score(policy, graph, None, greedy=True)}

    records = [{"step": 0, **scores()}]
    for each in random_walks.improve(policy, graph, generator, recipe["iterations"], recipe["rollouts"], settings):
        if (each.step + 1) % recipe["evaluate_every"] == 0:
            gauges = {key: value for key, value in each._asdict().items() if key not in ("step", "optimality")}
            records.append({"step": each.step + 1, **scores(), **gauges})
    return records
