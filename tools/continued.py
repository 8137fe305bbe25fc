"""Two experiments on what a model reads: clean against dirty pages, and what more mathematics or code does to it.

Qwen Technical Report (arXiv:2309.16609), sections 2.1, 4 and 5. Within an experiment all runs of a seed start from the
same weights and read the same number of tokens.
"""

import itertools
import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

import ablations
import pretrain
from minqwen import assets
from minqwen.data import corpus, crawl, decontaminate, exercises, html, language, pipeline, quality, stages, store
from minqwen.model import Qwen, QwenConfig, generate, training
from minqwen.tokenizer import Tokenizer

DIRTY = {**ablations.SIZE, "batch_size": 8, "steps": 300, "peak": 5e-3, "warmup": 30, "evaluate_every": 100}
DIRTY |= {"windows": 48, "pages": 1600}
DIRTY_VARIANTS = {
    "clean": {"change": "what the pipeline of lesson 07 keeps", "expected": "the one that all are held to"},
    "extracted": {"change": "the text of every page, nothing removed", "expected": "worse than clean"},
    "markup": {"change": "every page as it was sent, with its tags", "expected": "much worse than clean"},
}
MORE = {"batch_size": 8, "steps": 200, "peak": 1e-3, "warmup": 6, "length": 128, "windows": 24, "items": 80}
MORE_VARIANTS = {
    "text": {"change": "200 more steps of the same poems and plays", "expected": "no sums, no functions"},
    "math": {"change": "200 steps of sums", "expected": "better at sums, worse at texts"},
    "code": {"change": "200 steps of functions", "expected": "better at functions, worse at texts"},
}


class Sources(NamedTuple):
    """The documents of each variant as ids, and held-out windows by language."""

    tokenizer: Tokenizer
    documents: dict[str, list[list[int]]]
    held_out: dict[str, pretrain.HeldOut]


def page_texts(n_pages: int) -> dict[str, list[str]]:
    """The mini-crawl three times over: cleaned, only extracted, and as it was sent. Pages that leak tests are left out.

    They hold lines of the held-out texts, which would favour whoever keeps them.
    """
    made = crawl.make(n_pages, seed=0)
    pages = [page for page in made.pages if made.truth[page.url].kind != "leaked"]
    texts = {page.url: html.extract(page.html, page.content_type).text for page in pages}
    labelled = [t for t in made.truth.values() if t.kind in ("good", "spam") and t.split == "train"]
    known, is_good = [texts[t.url] for t in labelled], [t.kind == "good" for t in labelled]
    classifier = quality.Classifier().fit(known, is_good)
    threshold = quality.keep_threshold(classifier.score(known), is_good)
    tests = decontaminate.collect_ngrams(made.test_set)
    settings = stages.Settings(language.Identifier(), classifier.score, threshold, tests)
    with tempfile.TemporaryDirectory() as folder:
        pipeline.run(pages, folder, settings, progress=False)
        kept = [record["text"] for record in store.read_lines(Path(folder) / "kept.jsonl")]
    sent = [page.html.decode("utf-8", "replace") for page in pages if made.truth[page.url].kind != "hazard"]
    # A vocabulary of poems and plays spends three tokens on bytes that are no UTF-8; one mark stands for a run of them.
    sent = [re.sub("\N{REPLACEMENT CHARACTER}+", "\N{REPLACEMENT CHARACTER}", text) for text in sent]
    return {"clean": kept, "extracted": [text for text in texts.values() if text], "markup": sent}


def crawled(recipe: Mapping[str, Any]) -> Sources:
    """The variants of the first experiment."""
    tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)
    documents = {name: [tokenizer.encode(t) for t in texts] for name, texts in page_texts(recipe["pages"]).items()}
    held_out = {name: pretrain.HeldOut(tokenizer, name, recipe["max_length"]) for name in corpus.LANGUAGES}
    return Sources(tokenizer, documents, held_out)


def measure_dirty(variant: str, recipe: Mapping[str, Any], seed: int, sources: Sources) -> list[dict[str, Any]]:
    """A small model trained on the variant's documents; held-out bits per byte at every evaluation."""
    config = QwenConfig(**{name: recipe[name] for name in ablations.SIZE})
    model, order = Qwen(config, torch.Generator().manual_seed(seed)), torch.Generator().manual_seed(seed)
    windows = pretrain.shuffled_windows(sources.documents[variant], sources.tokenizer, config.max_length, order)
    batches = training.shuffled_batches(windows, recipe["batch_size"], order)
    fast, records = {"bfloat16": training.multiplies_bfloat16()}, []
    for step in training.train(model, batches, recipe["steps"], recipe["peak"], recipe["warmup"], **fast):
        if (step.step + 1) % recipe["evaluate_every"] == 0:
            bits = ablations.bits_per_byte(model, sources.held_out, recipe["windows"])
            records.append({"step": step.step + 1, "loss": step.loss, "bits_per_byte": bits})
    records[-1]["epochs"] = recipe["steps"] * recipe["batch_size"] / len(windows)
    return records


def more(recipe: Mapping[str, Any]) -> Sources:
    """What the second experiment shares."""
    tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)
    held_out = {name: pretrain.HeldOut(tokenizer, name, recipe["length"]) for name in corpus.LANGUAGES}
    return Sources(tokenizer, {"text": pretrain.training_documents(tokenizer)}, held_out)


def read_next(variant: str, recipe: Mapping[str, Any], seed: int, sources: Sources) -> torch.Tensor:
    """Windows enough for all steps, of the variant's documents."""
    wanted = recipe["steps"] * recipe["batch_size"] * (recipe["length"] + 1)
    if variant == "text":
        documents: Iterator[list[int]] = iter(
            random.Random(seed).sample(sources.documents["text"], k=len(sources.documents["text"]))
        )
    else:
        items = exercises.sums() if variant == "math" else exercises.functions()
        documents = map(sources.tokenizer.encode, exercises.pages(exercises.split(items, seed)[0], seed))
    row = itertools.islice(itertools.chain.from_iterable(documents), wanted + recipe["length"] + 1)
    return training.pack([list(row)], pretrain.separator(sources.tokenizer), recipe["length"] + 1)


def measure_more(variant: str, recipe: Mapping[str, Any], seed: int, sources: Sources) -> list[dict[str, Any]]:
    """The shipped model before (step 0) and after; both kinds of held-out exercises, and texts in bits per byte."""
    model = Qwen.from_pretrained(assets.TINY_QWEN)
    windows = read_next(variant, recipe, seed, sources)
    batches = training.shuffled_batches(windows, recipe["batch_size"], torch.Generator().manual_seed(seed))
    records = [{"step": 0, **abilities(model, recipe, seed, sources)}]
    # Section 4.1: 3 % warm-up, then a constant rate.
    how = {"bfloat16": training.multiplies_bfloat16(), "floor_share": 1.0}
    for _ in training.train(model, batches, recipe["steps"], recipe["peak"], recipe["warmup"], **how):
        pass
    return [*records, {"step": recipe["steps"], **abilities(model, recipe, seed, sources)}]


def abilities(model: Qwen, recipe: Mapping[str, Any], seed: int, sources: Sources) -> dict[str, Any]:
    """Shares of held-out exercises that are right, and bits per byte of held-out texts."""
    right = {
        name: marked(model, sources.tokenizer, exercises.split(items, seed)[1][: recipe["items"]])
        for name, items in (("sums", exercises.sums()), ("functions", exercises.functions()))
    }
    return {**right, "bits_per_byte": ablations.bits_per_byte(model, sources.held_out, recipe["windows"])}


def marked(model: Qwen, tokenizer: Tokenizer, items: list[exercises.Item], new_tokens: int = 16) -> float:
    """The share of items that the likeliest continuation gets right; prompts of equal length go together."""
    right, prompts = 0, [(item, [pretrain.separator(tokenizer), *tokenizer.encode(item.prompt)]) for item in items]
    for _, group in itertools.groupby(sorted(prompts, key=lambda p: len(p[1])), key=lambda p: len(p[1])):
        chosen = list(group)
        ids = torch.tensor([prompt for _, prompt in chosen])
        written = generate.generate(model, ids, new_tokens, temperature=0.0)[:, ids.shape[1] :].tolist()
        right += sum(exercises.is_right(item, tokenizer.decode(row)) for (item, _), row in zip(chosen, written))
    return right / len(items)
