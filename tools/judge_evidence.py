"""How good a reward model gets, by number and cleanness of its pairs, on its own kind of pairs and on others.

Qwen Technical Report (arXiv:2309.16609), section 3.2.1 and Table 4: a preference model is trained on many pairs of all
kinds (PMP), and then on fewer, better ones of its own kind (RM). PMP's pairs here are of both models and one label in
three is wrong; RM's are of the SFT model alone, with the labels of the gold rule.
"""

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from minqwen import assets
from minqwen.align import gold, preference, reward, reward_training, tasks
from minqwen.align.preference import Comparison
from minqwen.align.tasks import verse
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

RECIPE = {"many": 512, "few": 192, "fewest": 64, "noise": 0.33, "test": 100, "least": 0.05}
RECIPE |= {"batch_size": 32, "peak": 1e-3}
VARIANTS = {
    "clean, fewest": {"change": "fewest clean pairs, one epoch", "expected": "above chance"},
    "clean": {"change": "few clean pairs of the SFT model, one epoch", "expected": "the one that all are held to"},
    "clean, many": {"change": "as many clean pairs as PMP has noisy ones", "expected": "the best on its own kind"},
    "PMP then RM": {
        "change": "many noisy pairs of both models (step PMP), then the few clean ones (step RM)",
        "expected": "PMP better out of domain; RM after PMP better than clean on its own kind",
    },
}


class Sets(NamedTuple):
    """Pairs to train on, by their source, and pairs to be tested on, by their kind."""

    tokenizer: Tokenizer
    own: list[Comparison]
    all: list[Comparison]
    tests: dict[str, list[Comparison]]


def of_models(scored: Sequence[preference.Scored], least: float) -> dict[str, list[Comparison]]:
    """Pairs of two answers of the SFT model ("own"), and pairs with the base model's, which is the last answer."""
    own = [preference.Scored(s.question, s.answers[:-1], s.scores[:-1]) for s in scored]
    both = preference.comparisons(scored, least)
    found = preference.comparisons(own, least)
    known = set(found)
    return {"own": found, "base": [pair for pair in both if pair not in known], "all": both}


def of_poets(n: int, seed: int) -> list[Comparison]:
    """A poet's quatrain against its first line with lines of three other poems; here people are the gold."""
    rng = random.Random(seed)
    poems = [e for e in tasks.examples("held_out", 2000, seed) if e.task == "quatrain"][: n + 3]
    lines = [gold.lines_of(e.answer) for e in poems]
    pairs = []
    for at, example in enumerate(poems[:n]):
        others = rng.sample([row for place, row in enumerate(lines) if place != at], 3)
        mixed = [lines[at][0], *(row[place] for place, row in enumerate(others, start=1))]
        shuffled = "".join(line + mark for line, mark in zip(mixed, verse.MARKS))
        pairs.append(Comparison(example.question, example.answer.strip(), shuffled.strip(), 1.0))
    return pairs


def of_other_tasks(n: int, seed: int) -> list[Comparison]:
    """The right answer against that of the next question of the same task."""
    examples = [e for e in tasks.examples("held_out", 200, seed) if e.task not in tasks.VERSE]
    by_task = sorted(examples, key=lambda e: e.task)
    pairs = [
        Comparison(a.question, a.answer, b.answer, 1.0)
        for a, b in itertools.pairwise(by_task)
        if a.task == b.task and a.answer != b.answer
    ]
    return random.Random(seed).sample(pairs, n)


def prepare(recipe: Mapping[str, Any]) -> Sets:
    """The shipped answers as pairs."""
    train = of_models(preference.read(assets.PREFERENCES / "train.jsonl"), recipe["least"])
    test = of_models(preference.read(assets.PREFERENCES / "held_out.jsonl"), recipe["least"])
    few = lambda pairs: random.Random(0).sample(pairs, min(recipe["test"], len(pairs)))  # noqa: E731
    tests = {
        "SFT model": few(test["own"]),
        "base model": few(test["base"]),
        "poets": of_poets(recipe["test"], 0),
        "other tasks": of_other_tasks(recipe["test"], 0),
    }
    return Sets(Tokenizer.from_pretrained(assets.TINY_QWEN_SFT), train["own"], train["all"], tests)


def measure(variant: str, recipe: Mapping[str, Any], seed: int, sets: Sets) -> list[dict[str, Any]]:
    """Train; accuracy on every kind of pair after each stage. Steps are named by the pairs that have been read."""
    model = reward.RewardModel(Qwen.from_pretrained(assets.TINY_QWEN_SFT), torch.Generator().manual_seed(seed))
    rng = random.Random(seed)
    own, everything = rng.sample(sets.own, len(sets.own)), rng.sample(sets.all, len(sets.all))
    generator = torch.Generator().manual_seed(seed)
    stages = {
        "clean, fewest": [("RM", own[: recipe["fewest"]])],
        "clean": [("RM", own[: recipe["few"]])],
        "clean, many": [("RM", own[: recipe["many"]])],
        "PMP then RM": [
            ("PMP", preference.with_noise(everything[: recipe["many"]], recipe["noise"], generator)),
            ("RM", own[: recipe["few"]]),
        ],
    }[variant]
    records = []
    for name, pairs in stages:
        how = {"peak": recipe["peak"], "batch_size": recipe["batch_size"], "seed": seed}
        losses = [step.loss for step in reward_training.train(model, pairs, sets.tokenizer, **how)]
        right = {kind: reward_training.accuracy(model, test, sets.tokenizer) for kind, test in sets.tests.items()}
        records.append({"step": name, "pairs": len(pairs), "loss": losses[-1], "accuracy": right})
    return records
