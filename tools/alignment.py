"""RLHF of the tiny Qwen on quatrains: the runs that lesson 13 compares, and the shipped one.

Qwen Technical Report (arXiv:2309.16609), section 3.2.2 and, for win, tie and loss, Figure 4. The policy is scored by
the reward model alone; the gold rule only watches. The fixed opponent is the base model, whose continuations of the
held-out titles, cut to four lines, lie in preferences/held_out.jsonl.

Answers are drawn at temperature 1. At 0.7 the fine-tuned model writes 84 % well-formed poems, whose scores differ by
little: the judge would have nothing left to teach. At 1 it writes 15 %.
"""

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

import pretrain
from minqwen import assets
from minqwen.align import answers, chatml, gold, preference, rereading, rollout, tasks
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rlhf import RLHF, Score
from minqwen.align.rollout import Rollout, Sampling
from minqwen.data import prosody
from minqwen.model import Qwen, training
from minqwen.tokenizer import Tokenizer

RECIPE = {
    "titles": 48,  # an iteration, each answered twice
    "iterations": 18,
    "reference": 200,  # answers of the SFT model that score 0 on average with deviation 1
    "held_out": 100,  # titles
    "tie": 0.05,  # of gold
    "temperature": 1.0,
    "max_new_tokens": 32,
    "text": [4, 128],  # windows of pre-training text a minibatch, and their tokens
    "measured": 24,  # held-out windows of each language
    **dataclasses.asdict(Settings()),
}
VARIANTS = {
    "beta 0.04": {
        "change": "nothing: the report's coefficient",
        "expected": "reward up 1.5 at 12 nats or less; gold up",
    },
    "beta 0": {"change": "no KL penalty", "expected": "the highest reward, furthest away; gold rises, then falls"},
    "beta 0.2": {"change": "five times the penalty", "expected": "a lower reward, at a lower KL"},
    "no value-only start": {"change": "the policy learns from the first iteration", "expected": "a lower reward"},
    "pre-training text": {
        "change": "a fifth of the loss on pre-training text",
        "expected": "fewer bits per byte, the same reward",
    },
}
CHANGES = {
    "beta 0": {"beta": 0.0},
    "beta 0.2": {"beta": 0.2},
    "no value-only start": {"value_only": 0},
    "pre-training text": {"ptx": 0.2},
}
SAMPLES = 4


class Prepared(NamedTuple):
    """What all runs begin with."""

    tokenizer: Tokenizer
    sft: Qwen
    reward: RewardModel
    prosody: prosody.Prosody
    train: list[tasks.Example]
    test: list[preference.Scored]
    documents: Callable[[], list[list[int]]]  # of pre-training
    held_out: dict[str, pretrain.HeldOut]
    start: dict[str, Any]  # what is measured of the SFT model

    @property
    def score(self) -> Score:
        """The judge of texts."""
        return rereading.by_text(self.reward, self.tokenizer)

    @property
    def ends(self) -> tuple[int, int]:
        """End and padding."""
        return self.tokenizer.control_ids[chatml.END], self.tokenizer.control_ids[chatml.PAD]

    def draw(self, policy: Qwen, questions: Sequence[str], sampling: Sampling, seed: int) -> Rollout:
        """Answers of any policy."""
        asked = answers.prompts(questions, self.tokenizer)
        return rollout.roll_out(policy, asked, sampling, *self.ends, torch.Generator().manual_seed(seed))

    def gold(self, questions: Sequence[str], rolled: Rollout) -> tuple[list[str], list[gold.Score]]:
        """The poems, and what the gold rule says of them."""
        poems = [answers.until(row, self.ends, self.tokenizer).strip() for row in rolled.written.tolist()]
        return poems, [gold.score(title_of(q), poem, *self.prosody) for q, poem in zip(questions, poems)]


def title_of(question: str) -> str:
    """What stands in 《》."""
    return question[question.index("《") + 1 : question.rindex("》")]


def sampling_of(recipe: Mapping[str, Any], each: int) -> Sampling:
    """The recipe's, with so many answers a question."""
    return Sampling(each, recipe["max_new_tokens"], recipe["temperature"])


def prepare(
    recipe: Mapping[str, Any], sft: Path = assets.TINY_QWEN_SFT, reward: Path = assets.TINY_QWEN_REWARD
) -> Prepared:
    """Load models and texts; set the scale of the judge by the SFT model's answers, and measure those to new titles."""
    tokenizer, model = Tokenizer.from_pretrained(sft), Qwen.from_pretrained(sft)
    held_out = {code: pretrain.HeldOut(tokenizer, code, model.config.max_length) for code in ("en", "zh")}
    train = list({e.given: e for e in tasks.examples("train", 3000) if e.task == "quatrain"}.values())
    test = preference.read(assets.PREFERENCES / "held_out.jsonl")[: recipe["held_out"]]
    documents = functools.cache(lambda: pretrain.training_documents(tokenizer))
    given = tokenizer, model, RewardModel.from_pretrained(reward), prosody.load(), train, test, documents, held_out
    p = Prepared(*given, {})
    questions = [e.question for e in train[: recipe["reference"]]]
    rolled = p.draw(model, questions, sampling_of(recipe, 1), 1)
    with torch.no_grad():
        p.reward.normalise(p.score(rolled.ids, rolled.is_token)[rolled.ended])
    return p._replace(start=evaluate(model, p, recipe))


def settings_of(variant: str, recipe: Mapping[str, Any]) -> Settings:
    """The recipe's, with what the variant changes."""
    names = [field.name for field in dataclasses.fields(Settings)]
    return Settings(**{name: recipe[name] for name in names} | CHANGES.get(variant, {}))


def question_batches(questions: Sequence[str], size: int, generator: torch.Generator) -> Iterator[list[str]]:
    """In a new order for each pass, `size` at a time, without end."""
    while True:
        order = torch.randperm(len(questions), generator=generator).tolist()
        yield from ([questions[i] for i in order[at : at + size]] for at in range(0, len(order) - size + 1, size))


def reading(p: Prepared, recipe: Mapping[str, Any], seed: int) -> Iterator[torch.Tensor]:
    """Windows of pre-training text; nothing is read before the first is asked for."""
    windows, length = recipe["text"]
    text = pretrain.shuffled_windows(p.documents(), p.tokenizer, length, torch.Generator().manual_seed(seed))
    yield from training.shuffled_batches(text, windows, torch.Generator().manual_seed(seed))


def measure(variant: str, recipe: Mapping[str, Any], seed: int, prepared: Prepared) -> list[dict[str, Any]]:
    """A record an iteration: gauges, and gold of the answers; the first and last with what held-out titles say."""
    records = run(variant, recipe, seed, prepared)[1]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def run(variant: str, recipe: Mapping[str, Any], seed: int, p: Prepared) -> tuple[Qwen, list[dict[str, Any]]]:
    """The policy, trained, and its records."""
    policy, sampling = copy.deepcopy(p.sft), sampling_of(recipe, 2)
    given = settings_of(variant, recipe), sampling, torch.Generator().manual_seed(seed)
    trainer = RLHF(policy, p.reward.value_model(), p.score, *p.ends, *given)
    asked = question_batches([e.question for e in p.train], recipe["titles"], torch.Generator().manual_seed(seed))
    batches = [next(asked) for _ in range(recipe["iterations"])]
    prompts = [answers.prompts(batch, p.tokenizer) for batch in batches]
    records = []
    for batch, each in zip(batches, trainer.steps(prompts, recipe["iterations"], reading(p, recipe, seed))):
        poems, golds = p.gold([q for q in batch for _ in range(sampling.answers)], each.rollout)
        records.append({**each.gauges._asdict(), "gold": mean([g.total for g in golds]), "sample": poems[0]})
    records[0]["held_out"] = p.start
    records[-1]["held_out"] = evaluate(policy, p, recipe)
    return policy, records


@torch.no_grad()
def evaluate(policy: Qwen, p: Prepared, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """On held-out titles, one answer each: gold and its parts, reward, win and loss against the base model; samples.

    And bits per byte of held-out texts, which say what alignment costs.
    """
    questions = [each.question for each in p.test]
    rolled = p.draw(policy, questions, sampling_of(recipe, 1), 0)
    poems, golds = p.gold(questions, rolled)
    rewards = p.score(rolled.ids, rolled.is_token).where(rolled.ended, recipe["missing_end"])
    gaps = [ours.total - each.scores[-1] for ours, each in zip(golds, p.test)]
    return {
        "gold": mean([g.total for g in golds]),
        "gold_deviation": torch.tensor([g.total for g in golds]).std().item(),
        "parts": {name: mean([getattr(g, name) for g in golds]) for name in gold.Score._fields[1:]},
        "reward": rewards.mean().item(),
        "reward_deviation": rewards.std().item(),
        "win": mean([gap >= recipe["tie"] for gap in gaps]),
        "loss": mean([gap <= -recipe["tie"] for gap in gaps]),
        "bits_per_byte": {code: text.bits_per_byte(policy, recipe["measured"]) for code, text in p.held_out.items()},
        "samples": [[title_of(q), poem] for q, poem in zip(questions[:SAMPLES], poems)],
    }


def mean(values: Sequence[float | bool]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def align(folder: Path, log: Path) -> None:
    """The shipped run: the first variant with seed 0; `folder` gets the policy in bfloat16, `log` its records."""
    prepared = prepare(RECIPE)
    policy, records = run(next(iter(VARIANTS)), RECIPE, 0, prepared)
    policy.save_pretrained(folder, dtype=torch.bfloat16)
    prepared.tokenizer.save_pretrained(folder)
    lines = [{**RECIPE, **pretrain.machine()}, *records]
    log.write_text("".join(training.as_line(line) for line in lines), encoding="utf-8")
