"""Learning from traces of tools: what the model says is learned, what a tool said is only read.

Qwen Technical Report (arXiv:2309.16609), section 3.4. The reference's `finetune.py` puts the whole trace into one
answer and learns all of it, results of tools too: a model that learns to foretell a result may write one itself.
"""

from collections.abc import Sequence

from minqwen.align import chatml, sft
from minqwen.tokenizer import Tokenizer

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
