"""Learning from traces of tools: what the model says is learned, what a tool said is only read.

Qwen Technical Report (arXiv:2309.16609), section 3.4. The reference's `finetune.py` puts the whole trace into one
answer and learns all of it, results of tools too: a model that learns to foretell a result may write one itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from minqwen.align import answers, chatml, sft, tasks
from minqwen.model import Qwen, generate
from minqwen.tokenizer import Tokenizer

PLAIN = ("copy", "reverse", "count", "sort", "convert")  # tasks that need no tool
Piece = tuple[str, bool]  # a part of the assistant's turn, and whether the assistant says it


def encode(prompt: str, pieces: Sequence[Piece], tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """The conversation as ids, and which of them are learned: the pieces that the assistant says, and the end."""
    ids = chatml.encode_chat([{"role": "user", "content": prompt}], tokenizer)
    learned = [False] * len(ids)
    for text, said in pieces:
        more = tokenizer.encode(text)
        ids, learned = ids + more, learned + [said] * len(more)
    newline = tokenizer.encode("\n")
    return [*ids, tokenizer.control_ids[chatml.END], *newline], [*learned, True, *[False] * len(newline)]


def pack(traces: Sequence[tuple[str, Sequence[Piece]]], tokenizer: Tokenizer, length: int) -> sft.Windows:
    """Prompts with their traces, into windows as `sft.pack` does it."""
    return sft.lay_out([encode(prompt, pieces, tokenizer) for prompt, pieces in traces], tokenizer, length)


def writer(
    model: Qwen, tokenizer: Tokenizer, stop: str, max_new_tokens: int = 64, **options: Any
) -> Callable[[str, str], str]:
    """What continues the assistant's turn, for a loop of tools: (prompt, written) to the text up to `stop` or the end.

    It writes as much as the context has room for, `max_new_tokens` at most; options as in `model.generate`. At
    temperature 0, which is the default here, it takes the likeliest.
    """
    ends = [tokenizer.control_ids[end] for end in (chatml.END, chatml.START)]

    def write(prompt: str, written: str) -> str:
        ids = chatml.encode_chat([{"role": "user", "content": prompt}], tokenizer) + tokenizer.encode(written)
        room = model.config.max_length - len(ids)
        if room < 1:
            raise ValueError(
                f"prompt and trace have {len(ids)} tokens and fill the context of {model.config.max_length}; "
                "offer fewer tools, or ask a shorter question"
            )
        settings = {"temperature": 0.0, "stop_ids": ends, "stop_strings": (stop,), "decode": tokenizer.decode}
        new = generate.generate(model, torch.tensor([ids]), min(room, max_new_tokens), **{**settings, **options})
        return answers.until(new[0, len(ids) :].tolist(), ends, tokenizer)

    return write


def drill(pieces: Sequence[Piece], tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """A text in pieces, such as those of `prompt.copying`, as ids, and which of them are learned."""
    encoded = [(tokenizer.encode(text), learned) for text, learned in pieces]
    return [i for ids, _ in encoded for i in ids], [learned for ids, learned in encoded for _ in ids]


def lexicon(many: int = 6000) -> list[str]:
    """Words of the training split among the `many` commonest; none is a held-out one, or its plural."""
    english, _ = tasks.commonest(many)
    return [w for w in english if {tasks.split_of(w), tasks.split_of(w.removesuffix("s"))} == {"train"}]


def material(split: str) -> dict[str, list]:
    """For `prompt.practice`: nouns of tools and their names, and plain questions, of one split; things of both.

    Training has all words of the lexicon, so that names have to be read; the test common ones.
    """
    english, _ = tasks.commonest()
    nouns = lexicon() if split == "train" else [word for word in english if tasks.split_of(word) == split]
    plain = [(example.question, example.answer) for example in tasks.examples(split, 300, only=PLAIN)]
    return {"nouns": nouns, "names": nouns, "things": english, "plain": plain}
