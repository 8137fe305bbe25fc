"""Teaches the fine-tuned tiny Qwen to ask tools: recipe, log, and what the model then differs in.

First a drill in copying, then traces with some of the drill and of the earlier tasks among them. The log is one JSON
object a line: the recipe; every ten steps the training loss, in the drill with the share of tokens in new drills that
are then copied right; at the end the metrics by kind of task, with held-out words of the model before, and with the
words of training and held-out ones of the saved weights.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import pretrain
from minqwen import assets
from minqwen.adapt import difference
from minqwen.align import answers, sft, tasks, traces
from minqwen.data import corpus, images
from minqwen.model import Qwen, training
from minqwen.prompt import copying, metrics, practice, react, tools
from minqwen.tokenizer import Tokenizer

RECIPE = {
    "seed": 0,
    "shares": {
        "telling": 6,
        "arbitrary": 8,
        "calculator": 1,
        "dictionary": 1,
        "poem_search": 1,
        "no tool": 2,
        "missing": 4,
    },
    "traces": 24000,
    "chats": 300,  # examples of every earlier task, mixed in
    "drills": 0.15,  # windows of the drill for one of traces and chats
    "window": 224,
    "batch_size": 8,
    "warmup": 50,
    "drilled_words": 6000,
    "drill_steps": 400,
    "steps": 1500,
    "peak": 2e-3,
}
LOG_EVERY = 10
MANY = 40  # questions of each kind at the end


def words(split: str) -> practice.Words:
    """Nouns, names and questions of one split; things to ask about, dictionary and poems are the same in both."""
    poems = [document.text for document in corpus.load("held_out", "zh")]
    return practice.Words(
        **traces.material(split), dictionary=images.IMAGES, real=tools.real_tools(images.IMAGES, poems)
    )


def made(given: practice.Words, shares: Mapping[str, int], count: int, seed: int) -> list[practice.Task]:
    """So many tasks, their kinds in these shares."""
    rng = random.Random(seed)
    kinds = rng.choices(list(shares), list(shares.values()), k=count)
    return [practice.task(given, rng, kind) for kind in kinds]


def drills(words_used: Sequence[str], count: int, tokenizer: Tokenizer, length: int, seed: int) -> sft.Windows:
    """So many windows with drills in copying, half of them lists, half names to find."""
    rng, rows, tokens = random.Random(f"drill {seed}"), [], 0
    while tokens < count * length:
        ids, learned = traces.drill(rng.choice((copying.again, copying.found))(words_used, rng), tokenizer)
        if len(ids) <= length:
            rows.append((ids, learned))
            tokens += len(ids)
    return sft.lay_out(rows, tokenizer, length).rows(slice(count))


def windows(recipe: Mapping[str, Any], tokenizer: Tokenizer) -> sft.Windows:
    """Traces, and chats of the earlier tasks among them; what is too long for a window is left out."""
    length = recipe["window"]
    chosen = made(words("train"), recipe["shares"], recipe["traces"], recipe["seed"])
    encoded = [
        traces.encode(react.react_prompt(task.tools, task.question, brief=True), task.trace, tokenizer)
        for task in chosen
    ]
    kept = [each for each in encoded if len(each[0]) <= length + 1]
    chats = [example.messages for example in tasks.examples("train", recipe["chats"], recipe["seed"])]
    return sft.join(sft.lay_out(kept, tokenizer, length + 1), sft.pack(chats, tokenizer, length + 1))


def measured(model: Qwen, tokenizer: Tokenizer, test: Sequence[practice.Task]) -> dict[str, dict[str, float]]:
    """The metrics of the first reply, by kind of task."""
    found = {}
    for kind in dict.fromkeys(task.kind for task in test):
        of_kind = [task for task in test if task.kind == kind]
        prompts = [react.react_prompt(task.tools, task.question, brief=True) for task in of_kind]
        written = answers.answer(model, tokenizer, prompts, 72, stop_strings=(react.STOP,), decode=tokenizer.decode)
        found[kind] = metrics.scores(of_kind, written, tokenizer.encode)
    return found


def questions(split: str, many: int) -> list[practice.Task]:
    """So many of each kind, from another seed than training's."""
    given, rng = words(split), random.Random(f"{split} test")
    return [practice.task(given, rng, kind) for kind in practice.KINDS for _ in range(many)]


@torch.no_grad()
def copied(model: Qwen, test: sft.Windows) -> float:
    """The share of learned tokens that are the likeliest ones."""
    right = model(test.ids[:, :-1], documents=test.documents[:, :-1]).argmax(-1) == test.ids[:, 1:]
    return right[test.targets].double().mean().item()


def run(file: Path, log: Path, tokenizer: Tokenizer, recipe: Mapping[str, Any] = RECIPE) -> None:
    """Drill, then traces; `file` gets the differences to the fine-tuned model, `log` a line for everything measured."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(training.as_line({**recipe, **pretrain.machine()}), encoding="utf-8")
    model, length, batch = Qwen.from_pretrained(assets.TINY_QWEN_SFT), recipe["window"] + 1, recipe["batch_size"]
    everything, _ = tasks.commonest(recipe["drilled_words"])  # held-out ones too: of words left out half were copied
    test = drills(words("held_out").nouns, 16, tokenizer, length, seed=-1)
    drill = drills(everything, recipe["drill_steps"] * batch, tokenizer, length, recipe["seed"])
    for step in taught(model, drill, recipe["drill_steps"], recipe):
        if step.step % LOG_EVERY == 0:
            write(log, {"drill": step.step, "loss": step.loss, "copied": copied(model, test)})
    lines = windows(recipe, tokenizer)
    more = drills(everything, round(recipe["drills"] * len(lines.ids)), tokenizer, length, recipe["seed"] + 1)
    lines = sft.join(lines, more)
    write(log, {"windows": len(lines.ids), "learned_tokens": int(lines.targets.sum())})
    for step in taught(model, lines, recipe["steps"], recipe):
        if step.step % LOG_EVERY == 0:
            write(log, {"step": step.step, "loss": step.loss})
    base = Qwen.from_pretrained(assets.TINY_QWEN_SFT)
    difference.save_difference(model, base, file)
    for split, when in (("held_out", "before"), ("train", "after"), ("held_out", "after")):
        if (when, split) == ("after", "train"):
            difference.add_difference(base, file)
        write(log, {when: split, "scores": measured(base, tokenizer, questions(split, MANY))})


def taught(model: Qwen, batches: sft.Windows, steps: int, recipe: Mapping[str, Any]) -> Iterator[training.Step]:
    """The steps of one stage; the rate rises and falls in each."""
    settings = {"warmup": recipe["warmup"], "batch_size": recipe["batch_size"], "seed": recipe["seed"]}
    fast = training.multiplies_bfloat16()
    yield from tqdm(sft.fine_tune(model, batches, steps, recipe["peak"], bfloat16=fast, **settings), total=steps)


def write(log: Path, *records: Mapping[str, Any]) -> None:
    """Append to the log."""
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(map(training.as_line, records)))
