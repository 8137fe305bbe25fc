"""Conversations as plain text, "Human:" and "Assistant:": what ChatML is held against.

Qwen Technical Report (arXiv:2309.16609), appendix A.1.1, names this format, and why it was not taken: a text may hold
the same words, and who reads it cannot tell them from a new turn. Askell et al. 2021 (arXiv:2112.00861) use it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from minqwen.align import chatml
from minqwen.tokenizer import Tokenizer

HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
MARKS = {"user": HUMAN, "assistant": ASSISTANT}


class Marked(NamedTuple):
    """Ids, and for each whether it is learned."""

    ids: list[int]
    learned: list[bool]


def render(messages: Sequence[chatml.Message]) -> str:
    """Each turn behind its mark; after a question the answer is opened."""
    if not messages or any(message["role"] not in MARKS for message in messages):
        raise ValueError("this format knows user and assistant only; leave the system message out")
    text = "".join(f"{MARKS[message['role']]} {message['content']}" for message in messages)
    return text + (ASSISTANT if messages[-1]["role"] == "user" else "")


def parse(text: str) -> list[dict[str, str]]:
    """The turns that a reader sees in the text: it can only look for the marks."""
    turns, rest = [], text
    while rest:
        role = next(role for role, mark in MARKS.items() if rest.startswith(mark))
        places = [at for mark in MARKS.values() if (at := rest.find(mark, 1)) > 0]
        stop = min(places, default=len(rest))
        turns.append({"role": role, "content": rest[len(MARKS[role]) : stop].removeprefix(" ")})
        rest = rest[stop:]
    return turns


def encode(messages: Sequence[chatml.Message], tokenizer: Tokenizer) -> Marked:
    """The rendered conversation, and behind an answer the mark of the next question, which is where the answer ends.

    Learned are the answers and these marks. Each part is encoded by itself, so that a prompt is what was trained on.
    """
    render(messages)  # raises what it raises
    parts, opening = [], HUMAN
    for message in messages:
        if message["role"] == "user":
            parts.append((f"{opening} {message['content']}{ASSISTANT}", False))
        else:
            parts += [(f" {message['content']}", True), (HUMAN, True)]
            opening = ""
    encoded = [(tokenizer.encode(text), learned) for text, learned in parts]
    return Marked([token for ids, _ in encoded for token in ids], [learned for ids, learned in encoded for _ in ids])
