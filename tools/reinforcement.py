"""An experiment on reinforcement learning: CartPole by four methods at three rates.

Schulman et al. 2017 (arXiv:1707.06347), section 1, calls PPO stable, simple to tune and sample-efficient; each of these
is a number in the log that `evidence.py` writes.
"""

from collections.abc import Mapping
from typing import Any

from minqwen.align import cartpole

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
