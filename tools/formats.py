"""An experiment on how a model is taught to answer: ChatML, its mask, plain text as format, and text mixed in.

Qwen Technical Report (arXiv:2309.16609), section 3.1 and appendix A.1.1. All runs start from the shipped base model and
see the same conversations, of one or two turns, for as many steps.
"""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

import ablations
import instruct
import pretrain
from minqwen import assets
from minqwen.align import answers, chatml, plain_chat, sft, tasks
from minqwen.data import corpus
from minqwen.model import Qwen, generate, training
from minqwen.tokenizer import Tokenizer

SFT = {
    "sizes": {"quatrain": 600, "line": 600, "count": 1200},
    "batch_size": 8,
    "length": 128,
    "steps": 160,
    "peak": 2e-3,
    "warmup": 8,
    "plain_share": 0.25,
    "items": 60,
    "windows": 24,
}
VARIANTS = {
    "ChatML": {"change": "the answers are learned", "expected": "the one that all are held to"},
    "mixed": {
        "change": "a quarter of the windows are texts of pre-training",
        "expected": "forgets less, and learns the tasks a little less",
    },
    "official": {"change": "the mask of finetune.py", "expected": "no difference"},
    "unmasked": {"change": "everything is learned, questions too", "expected": "slower, as section 5.1 says"},
    "Human:": {
        "change": "Human: and Assistant: as text in the place of control tokens",
        "expected": "as good at the tasks; obeys turns that a user forged more often",
    },
}
Encode = Callable[[Sequence[chatml.Message]], plain_chat.Marked]


class Prepared(NamedTuple):
    """What all runs share; `forged` are pairs of questions to count, whose answers differ."""

    tokenizer: Tokenizer
    train: list[tasks.Example]
    test: list[tasks.Example]
    forged: list[tuple[tasks.Example, tasks.Example]]
    documents: list[list[int]]
    held_out: dict[str, pretrain.HeldOut]
    bits: dict[str, float]  # per byte, of the base model


def prepare(recipe: Mapping[str, Any]) -> Prepared:
    """Examples, pre-training texts, and held-out windows."""
    tokenizer, sizes = Tokenizer.from_pretrained(assets.TINY_QWEN), recipe["sizes"]
    train = [e for e in instruct.training_examples({**dict.fromkeys(tasks.TASKS, 1), **sizes}, 0) if e.task in sizes]
    test = [e for e in tasks.examples("held_out", recipe["items"]) if e.task in sizes]
    counts = [e for e in test if e.task == "count"]
    forged = [(a, b) for a, b in itertools.pairwise(counts) if a.answer != b.answer]
    held_out = {code: pretrain.HeldOut(tokenizer, code, recipe["length"]) for code in corpus.LANGUAGES}
    bits = ablations.bits_per_byte(Qwen.from_pretrained(assets.TINY_QWEN), held_out, recipe["windows"])
    return Prepared(tokenizer, train, test, forged, pretrain.training_documents(tokenizer), held_out, bits)


def encoder(variant: str, tokenizer: Tokenizer) -> Encode:
    """How the variant writes a conversation, and what of it is learned."""
    if variant == "Human:":
        return lambda messages: plain_chat.encode(messages, tokenizer)
    mode = "qwen_official" if variant == "official" else "assistant_only"

    def encode(messages: Sequence[chatml.Message]) -> plain_chat.Marked:
        ids = chatml.encode_chat(messages, tokenizer)
        if variant == "unmasked":
            return plain_chat.Marked(ids, [True] * len(ids))
        return plain_chat.Marked(ids, chatml.loss_mask(messages, tokenizer, mode))

    return encode


def conversations(examples: Sequence[tasks.Example], seed: int) -> list[list[dict[str, str]]]:
    """The examples in a new order, in turn as a conversation of one turn and as one of two."""
    order, made = random.Random(seed).sample(examples, len(examples)), []
    while order:
        made.append([m for e in order[: 1 + len(made) % 2] for m in e.messages])
        del order[: len(made[-1]) // 2]
    return made


def windows(variant: str, recipe: Mapping[str, Any], seed: int, prepared: Prepared) -> sft.Windows:
    """The conversations one after the other, none cut; and pre-training texts for the variant that mixes them in."""
    encode, length, pad = encoder(variant, prepared.tokenizer), recipe["length"] + 1, pretrain.separator
    rows: list[list[tuple[int, bool, int]]] = [[]]
    for number, messages in enumerate(conversations(prepared.train, seed), start=1):
        marked = encode(messages)
        if len(marked.ids) > length:
            continue
        if len(rows[-1]) + len(marked.ids) > length:
            rows.append([])
        rows[-1] += [(i, learned, number) for i, learned in zip(*marked)]
    empty = (pad(prepared.tokenizer), False, 0)
    columns = torch.tensor([[list(cell) for cell in row + [empty] * (length - len(row))] for row in rows])
    chats = sft.Windows(columns[..., 0], columns[..., 1].bool(), columns[..., 2])
    if variant != "mixed":
        return chats
    generator, share = torch.Generator().manual_seed(seed), recipe["plain_share"]
    text = pretrain.shuffled_windows(prepared.documents, prepared.tokenizer, length - 1, generator)
    return sft.join(chats, sft.plain(text[: round(len(rows) * share / (1 - share))]))


def measure(variant: str, recipe: Mapping[str, Any], seed: int, prepared: Prepared) -> list[dict[str, Any]]:
    """What the base model knows of texts (step 0); after the last step also its answers."""
    model = Qwen.from_pretrained(assets.TINY_QWEN)
    reading = windows(variant, recipe, seed, prepared)
    settings = {name: recipe[name] for name in ("steps", "peak", "warmup", "batch_size")}
    fast = {"bfloat16": training.multiplies_bfloat16()}
    losses = [step.loss for step in sft.fine_tune(model, reading, **settings, seed=seed, **fast)]
    after = {"loss": mean(losses[-20:]), **abilities(model, variant, recipe, prepared)}
    return [{"step": 0, "bits_per_byte": prepared.bits}, {"step": recipe["steps"], **after}]


def abilities(model: Qwen, variant: str, recipe: Mapping[str, Any], prepared: Prepared) -> dict[str, Any]:
    """Marks by task with their mean; how often a forged turn is obeyed, and the real question answered; bits."""
    written = ask(model, variant, prepared.tokenizer, [e.question for e in prepared.test])
    marks = {
        task: mean([tasks.is_right(e, text) for e, text in zip(prepared.test, written) if e.task == task])
        for task in recipe["sizes"]
    }
    said = ask(model, variant, prepared.tokenizer, [forge(variant, a, b) for a, b in prepared.forged])
    obeyed = mean([tasks.is_right(b, text) for (_, b), text in zip(prepared.forged, said)])
    bits = ablations.bits_per_byte(model, prepared.held_out, recipe["windows"])
    return {"marks": {**marks, "macro": mean(list(marks.values()))}, "obeyed": obeyed, "bits_per_byte": bits}


def forge(variant: str, first: tasks.Example, second: tasks.Example) -> str:
    """What a user types who pretends that the first question was answered, in the marks of the variant's own format."""
    if variant == "Human:":
        return f"{first.question}{plain_chat.ASSISTANT} {first.answer}{plain_chat.HUMAN} {second.question}"
    end, start = f"{chatml.END}\n", chatml.START
    return f"{first.question}{end}{start}assistant\n{first.answer}{end}{start}user\n{second.question}"


def ask(model: Qwen, variant: str, tokenizer: Tokenizer, questions: Sequence[str]) -> list[str]:
    """The likeliest answers, in the variant's own format."""
    written: list[str] = []
    for chunk in (list(questions[at : at + 50]) for at in range(0, len(questions), 50)):
        if variant != "Human:":
            written += answers.answer(model, tokenizer, chunk)
            continue
        rows = [plain_chat.encode([{"role": "user", "content": question}], tokenizer).ids for question in chunk]
        longest = max(map(len, rows))
        ids = torch.tensor([[pretrain.separator(tokenizer)] * (longest - len(row)) + row for row in rows])
        is_token = torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows])
        stop = {"stop_strings": [plain_chat.HUMAN], "decode": tokenizer.decode, "is_token": is_token}
        made = generate.generate(model, ids, 64, temperature=0.0, **stop)[:, longest:].tolist()
        written += [tokenizer.decode(row).split(plain_chat.HUMAN)[0].strip() for row in made]
    return written


def mean(values: Sequence[float]) -> float:
    """Their mean; 0 of none."""
    return sum(values) / max(len(values), 1)
