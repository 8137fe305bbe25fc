"""Answers to be judged, and the shipped reward model: four poems a title, scored by the gold rule, and a model of it.

Qwen Technical Report (arXiv:2309.16609), section 3.2.1. The files are those of the labelling tool. Answers 1 to 3 of a
line are of the SFT model, the last one is the base model's continuation of the title, cut to four lines.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import pretrain
from minqwen.align import answers, gold, preference, reward, reward_training, tasks
from minqwen.align.tasks import verse
from minqwen.data import prosody
from minqwen.model import Qwen, generate, training
from minqwen.tokenizer import Tokenizer

RECIPE = {
    "seed": 0,
    "train": 800,  # titles
    "held_out": 120,
    "sft": [[0.7, 0.9], [0.7, 0.9], [1.0, 0.9]],  # temperature and top-p of each answer
    "base": [1.0, 0.9],
    "least": 0.05,  # pairs of smaller gaps are ties
    "pairs": 3000,
    "batch_size": 32,
    "peak": 1e-3,
    "reference": 400,  # answers, to train titles, that shall score 0 on average with deviation 1
}
TOKENS = 48  # of an answer; a poem has 25 to 35
CHUNK = 100


def titles(split: str, n: int, seed: int) -> list[str]:
    """Titles of quatrains, each once."""
    examples = tasks.examples(split, 2 * n + 1000, seed)
    return list(dict.fromkeys(e.given for e in examples if e.task == "quatrain"))[:n]


def by_sft(
    model: Qwen, tokenizer: Tokenizer, of: Sequence[str], temperature: float, top_p: float, generator: torch.Generator
) -> list[str]:
    """One poem a title, asked for in ChatML."""
    written = []
    for at in tqdm(range(0, len(of), CHUNK), "SFT", leave=False):
        questions = [verse.QUATRAIN.format(title) for title in of[at : at + CHUNK]]
        options = {"temperature": temperature, "top_p": top_p, "generator": generator}
        written += [text.strip() for text in answers.answer(model, tokenizer, questions, TOKENS, **options)]
    return written


def by_base(
    model: Qwen, tokenizer: Tokenizer, of: Sequence[str], temperature: float, top_p: float, generator: torch.Generator
) -> list[str]:
    """One poem a title: the continuation of 《title》, without its first line, which names a poet."""
    separator, written = pretrain.separator(tokenizer), []
    for at in tqdm(range(0, len(of), CHUNK), "base", leave=False):
        rows = [[separator, *tokenizer.encode(f"《{title}》")] for title in of[at : at + CHUNK]]
        longest = max(map(len, rows))
        ids = torch.tensor([[separator] * (longest - len(row)) + row for row in rows])
        real = torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows])
        options = {"temperature": temperature, "top_p": top_p, "generator": generator, "stop_ids": [separator]}
        new = generate.generate(model, ids, TOKENS + 16, is_token=real, **options)[:, longest:].tolist()
        written += [as_quatrain(answers.until(row, [separator], tokenizer)) for row in new]
    return written


def as_quatrain(page: str) -> str:
    """The first four lines below the first row, with the marks of a quatrain."""
    lines = gold.lines_of(page.partition("\n")[2])[: gold.LINES]
    return "".join(line + mark for line, mark in zip(lines, verse.MARKS)).strip()


def make(sft: Qwen, base: Qwen, tokenizer: Tokenizer, split: str, recipe: Mapping[str, Any]) -> list[preference.Scored]:
    """Four answers to each title and their gold scores."""
    generator = torch.Generator().manual_seed(recipe["seed"] + (split == "held_out"))
    of, table = titles(split, recipe[split], recipe["seed"]), prosody.load()
    columns = [by_sft(sft, tokenizer, of, *how, generator) for how in recipe["sft"]]
    columns.append(by_base(base, tokenizer, of, *recipe["base"], generator))
    scored = []
    for title, *poems in zip(of, *columns):
        scores = (gold.score(title, poem, table.tone, table.rhyme).total for poem in poems)
        rounded = tuple(round(score, 4) for score in scores)
        scored.append(preference.Scored(verse.QUATRAIN.format(title), tuple(poems), rounded))
    return scored


def by_tercile(pairs: Sequence[preference.Comparison], margins: torch.Tensor) -> dict[str, float]:
    """Accuracy over all pairs, and over each third of them by the size of the gold gap."""
    right = reward_training.in_order(margins).double()
    thirds = right[torch.tensor([pair.gap for pair in pairs]).argsort()].tensor_split(3)
    names = ("small", "middle", "large")
    return {"all": right.mean().item(), **{name: third.mean().item() for name, third in zip(names, thirds)}}


def train(folder: Path, log: Path, files: Path, sft: Path, recipe: Mapping = RECIPE) -> None:
    """One epoch over the pairs of files/train.jsonl; `folder` gets the model, `log` a line for everything measured."""
    tokenizer, seed = Tokenizer.from_pretrained(sft), recipe["seed"]
    policy = Qwen.from_pretrained(sft)
    model = reward.RewardModel(policy, torch.Generator().manual_seed(seed))
    pairs = preference.comparisons(preference.read(files / "train.jsonl"), recipe["least"])
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).tolist()
    pairs = [pairs[at] for at in order[: recipe["pairs"]]]
    test = preference.comparisons(preference.read(files / "held_out.jsonl"), recipe["least"])
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        write = lambda record: (file.write(training.as_line(record)), file.flush())  # noqa: E731
        about = {**pretrain.machine(), "precision": "float32", "sft_sha256": assets_hash(sft)}
        write({**recipe, "pairs_read": len(pairs), **about})
        write({"before": by_tercile(test, reward_training.margins(model, test, tokenizer))})
        steps = reward_training.train(model, pairs, tokenizer, recipe["peak"], recipe["batch_size"], seed=seed)
        for step in tqdm(steps, total=-(-len(pairs) // recipe["batch_size"])):
            write(step._asdict())
        model.to(torch.bfloat16).float()  # as it will be in the file
        known = preference.read(files / "train.jsonl")[: recipe["reference"]]
        texts = [(scored.question, scored.answers[0]) for scored in known]
        model.normalise(reward_training.scores(model, texts, tokenizer))
        model.save_pretrained(folder, torch.bfloat16)
        tokenizer.save_pretrained(folder)
        write(measured(reward.RewardModel.from_pretrained(folder), test, tokenizer, files))


def assets_hash(folder: Path) -> str:
    """SHA-256 of the weights that the judge began with."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def measured(
    model: reward.RewardModel, test: Sequence[preference.Comparison], tokenizer: Tokenizer, files: Path
) -> dict[str, Any]:
    """Accuracy on held-out pairs, and the scores of held-out answers of the SFT model beside their gold."""
    held_out = preference.read(files / "held_out.jsonl")
    found = reward_training.scores(model, [(each.question, each.answers[0]) for each in held_out], tokenizer)
    golds = torch.tensor([each.scores[0] for each in held_out])
    return {
        "after": by_tercile(test, reward_training.margins(model, test, tokenizer)),
        "mean": found.mean().item(),
        "deviation": found.std(correction=0).item(),
        "correlation": torch.corrcoef(torch.stack([found, golds]))[0, 1].item(),
        "gold_mean": golds.mean().item(),
        "gold_deviation": golds.std(correction=0).item(),
    }
