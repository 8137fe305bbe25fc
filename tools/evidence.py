"""Logged runs over several seeds, for what one live run cannot show: python tools/evidence.py NAME | all.

NAME is an entry of EXPERIMENTS. A log, minqwen/assets/runs/NAME.jsonl, begins with one line
for the recipe, the variants with what was expected of them, and the machine; then comes a line for every evaluation of
every (variant, seed). A pair that stands in the log is not run again, so an interrupted run goes on where it stopped.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import ablations
import alignment
import assets
import continued
import formats
import judge_evidence
import lengths
import pretrain
import reinforcement
import renaming
from minqwen.model import training

RUNS = assets.ASSETS / "runs"


class Experiment(NamedTuple):
    """Variants of one recipe, each run with every seed; what all runs share is prepared once."""

    question: str
    variants: Mapping[str, Mapping[str, str]]  # name: what it changes, and what is expected before anything ran
    recipe: Mapping[str, Any]
    seeds: int
    hours: float  # on one core of the machine that the log names
    prepare: Callable[[Mapping[str, Any]], Any]  # recipe
    measure: Callable[
        [str, Mapping[str, Any], int, Any], Iterable[Mapping[str, Any]]
    ]  # variant, recipe, seed, prepared
    reads: tuple[str, ...] = ()  # of minqwen/assets: their hashes go into the log


EXPERIMENTS = {
    "block": Experiment(
        question="Which parts of the Qwen block change what a small model learns?",
        variants={name: {"change": v.change, "expected": v.expected} for name, v in ablations.VARIANTS.items()},
        recipe=ablations.RECIPE,
        seeds=5,
        hours=1.0,
        prepare=ablations.texts,
        measure=ablations.measure,
        reads=("corpus/train.jsonl.xz", "corpus/held_out.jsonl.xz", "tiny-qwen/tokenizer.tiktoken"),
    ),
    "long_context": Experiment(
        question="Which technique lets the tiny Qwen read past the length that it was trained on?",
        variants=lengths.VARIANTS,
        recipe=lengths.RECIPE,
        seeds=lengths.PARTS,
        hours=0.15,
        prepare=lengths.prepare,
        measure=lengths.measure,
        reads=("corpus/held_out.jsonl.xz", "tiny-qwen/tokenizer.tiktoken", "tiny-qwen/model.safetensors"),
    ),
    "dirty": Experiment(
        question="Does a model learn more from cleaned pages than from as many tokens of uncleaned ones?",
        variants=continued.DIRTY_VARIANTS,
        recipe=continued.DIRTY,
        seeds=5,
        hours=0.3,
        prepare=continued.crawled,
        measure=continued.measure_dirty,
        reads=("corpus/train.jsonl.xz", "corpus/held_out.jsonl.xz", "tiny-qwen/tokenizer.tiktoken"),
    ),
    "specialists": Experiment(
        question="What do 200 more steps of mathematics, or of code, do to the shipped model?",
        variants=continued.MORE_VARIANTS,
        recipe=continued.MORE,
        seeds=5,
        hours=0.3,
        prepare=continued.more,
        measure=continued.measure_more,
        reads=("corpus/train.jsonl.xz", "corpus/held_out.jsonl.xz", "tiny-qwen/model.safetensors"),
    ),
    "formats": Experiment(
        question="What do the format of conversations, the mask of the loss, and mixed-in texts change in fine-tuning?",
        variants=formats.VARIANTS,
        recipe=formats.SFT,
        seeds=5,
        hours=0.3,
        prepare=formats.prepare,
        measure=formats.measure,
        reads=("corpus/train.jsonl.xz", "corpus/held_out.jsonl.xz", "tiny-qwen/model.safetensors"),
    ),
    "cartpole": Experiment(
        question="Is PPO more stable, simpler to tune and more sample-efficient than simpler methods?",
        variants=reinforcement.CARTPOLE_VARIANTS,
        recipe=reinforcement.CARTPOLE,
        seeds=5,
        hours=0.15,
        prepare=lambda recipe: None,
        measure=reinforcement.measure_cartpole,
    ),
    "random_walks": Experiment(
        question="Does PPO teach a small Qwen that imitates random walks to walk the shortest way?",
        variants=reinforcement.RANDOM_WALKS_VARIANTS,
        recipe=reinforcement.RANDOM_WALKS,
        seeds=reinforcement.RANDOM_WALKS["seeds"],
        hours=0.5,
        prepare=reinforcement.prepare_walks,
        measure=reinforcement.measure_walks,
    ),
    "reward": Experiment(
        question="What do many noisy pairs, and few clean ones, teach a reward model?",
        variants=judge_evidence.VARIANTS,
        recipe=judge_evidence.RECIPE,
        seeds=5,
        hours=0.45,
        prepare=judge_evidence.prepare,
        measure=judge_evidence.measure,
        reads=("preferences/train.jsonl", "preferences/held_out.jsonl", "tiny-qwen-sft/model.safetensors"),
    ),
    "rlhf": Experiment(
        question="What do the KL penalty, the value-only start and the text of pre-training do in RLHF?",
        variants=alignment.VARIANTS,
        recipe=alignment.RECIPE,
        seeds=5,
        hours=0.9,
        prepare=alignment.prepare,
        measure=alignment.measure,
        reads=("tiny-qwen-sft/model.safetensors", "tiny-qwen-reward/model.safetensors", "preferences/held_out.jsonl"),
    ),
    "renaming": Experiment(
        question="Does a real model learn a new name by LoRA and by QLoRA, and what else does that change?",
        variants=renaming.VARIANTS,
        recipe=renaming.RECIPE,
        seeds=5,
        hours=0.5,
        prepare=renaming.prepare,
        measure=renaming.measure,
    ),
}


def run(name: str, experiment: Experiment, log: Path) -> None:
    """Append what is missing to the log: seed by seed, so that whenever it stops, the variants stand equally far."""
    header = {
        "experiment": name,
        "question": experiment.question,
        "command": f"python tools/evidence.py {name}",
        "recipe": {**experiment.recipe, "seeds": experiment.seeds},
        "variants": experiment.variants,
        "reads": {path: assets.sha256(assets.ASSETS / path) for path in experiment.reads},
    }
    finished = begin(log, header)
    todo = [(variant, seed) for seed in range(experiment.seeds) for variant in experiment.variants]
    todo = [pair for pair in todo if pair not in finished]
    prepared = experiment.prepare(experiment.recipe) if todo else None
    for variant, seed in tqdm(todo, name, unit="run"):
        started = time.monotonic()
        records = [dict(record) for record in experiment.measure(variant, experiment.recipe, seed, prepared)]
        records[-1]["seconds"] = time.monotonic() - started
        lines = [training.as_line({"variant": variant, "seed": seed, **record}) for record in records]
        with log.open("a", encoding="utf-8") as file:
            file.write("".join(lines))  # whole runs only: what stands in the log is finished


def begin(log: Path, header: Mapping[str, Any]) -> set[tuple[str, int]]:
    """The pairs that a log of this very experiment holds; a new log gets its first line."""
    if not log.exists():
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(training.as_line({**header, **pretrain.machine()}), encoding="utf-8")
    first, *records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    differs = [key for key, value in json.loads(training.as_line(header)).items() if first.get(key) != value]
    if differs:
        raise ValueError(f"{log} is of another experiment: {', '.join(differs)} differ; move it away to begin anew")
    return {(record["variant"], record["seed"]) for record in records}


def main() -> None:
    """Say how long it takes, run what is asked for, and bring the hashes up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*EXPERIMENTS, "all"])
    name = parser.parse_args().name
    names = list(EXPERIMENTS) if name == "all" else [name]
    for name in names:
        e = EXPERIMENTS[name]
        print(f"{name}: {len(e.variants)} variants, {e.seeds} seeds, {e.hours:g} hours on one core. {e.question}")
    for name in names:
        run(name, EXPERIMENTS[name], RUNS / f"{name}.jsonl")
        assets.write_hashes()


if __name__ == "__main__":
    main()
