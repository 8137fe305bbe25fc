"""Fine-tunes the tiny Qwen on the apprentice poet's tasks: recipe, log, and the model of each stage.

The log is one JSON object a line: first the recipe, then the training loss every 50 steps, the share of right answers
to held-out questions every 500, and at the end all that is measured of the saved weights, beside the model before.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import pretrain
from minqwen import assets
from minqwen.align import answers, sft, tasks
from minqwen.model import Qwen, training
from minqwen.tokenizer import Tokenizer

RECIPE = {
    "seed": 0,
    "sizes": {"quatrain": 3000, "line": 1500, "copy": 6000, "reverse": 6000, "count": 2000, "sort": 6000},
    "plain_share": 0.125,  # windows of pre-training text, of all windows
    "batch_size": 8,
    "warmup": 100,
    "stages": [  # each goes on from the saved model before; `times`: how often the examples of a task are in it
        {"steps": 5000, "peak": 2e-3, "times": {}},
        {"steps": 2500, "peak": 2e-3, "times": {"add": 8}},
    ],
}
LOG_EVERY, EVALUATE_EVERY = 50, 500
SOME, MANY = 20, 100  # held-out questions of each task, while training and at the end


def training_examples(
    sizes: Mapping[str, int], seed: int, times: Mapping[str, int] | None = None
) -> list[tasks.Example]:
    """The examples of every task, no more than `sizes` of it, of a task without a size all; some more than once."""
    left, kept = dict(sizes), []
    for example in tasks.examples("train", max(sizes.values()), seed):
        if left.get(example.task, 1) > 0:
            left[example.task] = left.get(example.task, 10**9) - 1
            kept.append(example)
    if times:
        kept = [example for example in kept for _ in range(times.get(example.task, 1))]
        random.Random(seed).shuffle(kept)
    return kept


def windows(recipe: Mapping[str, Any], times: Mapping[str, int], tokenizer: Tokenizer, length: int) -> sft.Windows:
    """Conversations, and the share of plain text that is mixed in."""
    examples = training_examples(recipe["sizes"], recipe["seed"], times)
    chats = sft.pack([example.messages for example in examples], tokenizer, length + 1)
    share = recipe["plain_share"]
    if not share:
        return chats
    generator = torch.Generator().manual_seed(recipe["seed"])
    text = pretrain.shuffled_windows(pretrain.training_documents(tokenizer), tokenizer, length, generator)
    return sft.join(chats, sft.plain(text[: round(len(chats.ids) * share / (1 - share))]))


def marks(model: Qwen, tokenizer: Tokenizer, examples: Sequence[tasks.Example]) -> dict[str, float]:
    """The share of right answers by task, the likeliest answer taken, and their macro mean."""
    right = defaultdict(list)
    with torch.inference_mode():
        for chunk in [examples[at : at + 50] for at in range(0, len(examples), 50)]:
            written = answers.answer(model, tokenizer, [example.question for example in chunk])
            for example, text in zip(chunk, written):
                right[example.task].append(tasks.is_right(example, text))
    shares = {task: sum(right[task]) / len(right[task]) for task in tasks.TASKS}
    return {**shares, "macro": sum(shares.values()) / len(shares)}


def recited(
    model: Qwen, tokenizer: Tokenizer, train: Sequence[tasks.Example], test: Sequence[tasks.Example]
) -> dict[str, float]:
    """The share of lines, of answers to held-out questions in verse, that stand in a training answer."""
    shares = {}
    for task in tasks.VERSE:
        known = {line for example in train if example.task == task for line in lines(example.answer)}
        questions = [example.question for example in test if example.task == task]
        written = [line for text in answers.answer(model, tokenizer, questions) for line in lines(text)]
        shares[task] = sum(line in known for line in written) / max(len(written), 1)
    return shares


def lines(text: str) -> list[str]:
    """Lines of verse: in Chinese what stands between the marks."""
    return [line for line in text.replace("，", "\n").replace("。", "\n").split("\n") if line.strip()]


def run(folder: Path, log: Path, tokenizer: Tokenizer, recipe: Mapping[str, Any] = RECIPE) -> None:
    """Train; `folder` gets the model in bfloat16, `log` a line for everything measured."""
    test = tasks.examples("held_out", MANY)
    some = [e for task in tasks.TASKS for e in [e for e in test if e.task == task][:SOME]]
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(training.as_line({**recipe, **pretrain.machine()}), encoding="utf-8")
    start = assets.TINY_QWEN
    for number in range(len(recipe["stages"])):
        stage(start, folder, log, tokenizer, recipe, number, some)
        start = folder
    before, after = (measured(Qwen.from_pretrained(f), tokenizer, test) for f in (assets.TINY_QWEN, folder))
    train = training_examples(recipe["sizes"], recipe["seed"])
    after["recited"] = recited(Qwen.from_pretrained(folder), tokenizer, train, test)
    write(log, {"before": before}, {"after": after})


def stage(
    start: Path,
    folder: Path,
    log: Path,
    tokenizer: Tokenizer,
    recipe: Mapping[str, Any],
    number: int,
    some: Sequence[tasks.Example],
) -> None:
    """Train the model of `start` for one stage of the recipe, and save it in `folder`."""
    model, about = Qwen.from_pretrained(start), recipe["stages"][number]
    batches = windows(recipe, about["times"], tokenizer, model.config.max_length)
    write(log, {"stage": number, "windows": len(batches.ids), "learned_tokens": int(batches.targets.sum())})
    settings = {"warmup": recipe["warmup"], "batch_size": recipe["batch_size"], "seed": recipe["seed"]}
    steps = sft.fine_tune(
        model, batches, about["steps"], about["peak"], bfloat16=training.multiplies_bfloat16(), **settings
    )
    for step in tqdm(steps, total=about["steps"]):
        if step.step % LOG_EVERY == 0:
            write(log, {"stage": number, "step": step.step, "loss": step.loss})
        if step.step % EVALUATE_EVERY == EVALUATE_EVERY - 1:
            write(log, {"stage": number, "step": step.step + 1, "marks": marks(model, tokenizer, some)})
    model.save_pretrained(folder, dtype=torch.bfloat16)
    tokenizer.save_pretrained(folder)


def write(log: Path, *records: Mapping[str, Any]) -> None:
    """Append to the log."""
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(map(training.as_line, records)))


def measured(model: Qwen, tokenizer: Tokenizer, test: Sequence[tasks.Example]) -> dict[str, Any]:
    """Marks of all held-out questions, and bits per byte of held-out texts."""
    held_out = {code: pretrain.HeldOut(tokenizer, code, model.config.max_length) for code in ("en", "zh")}
    bits = {code: h.bits_per_byte(model, len(h.windows)) for code, h in held_out.items()}
    return {"marks": marks(model, tokenizer, test), "bits_per_byte": bits}
