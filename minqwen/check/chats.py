"""Conversations for exercises: random ones, a vocabulary of bytes, and ChatML's layout as bytes, for oracles.

The layout is that of the Qwen report (Bai et al. 2023, arXiv:2309.16609), appendix A.1.1.
"""

import torch

from minqwen.tokenizer import Tokenizer

START, END = b"\x01", b"\x02"  # one byte for each control token: no text below holds them
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Talk = list[dict[str, str]]


def word(rng: torch.Generator) -> str:
    """One to three letters, now and then a Chinese character."""
    letters = [LETTERS[i] for i in torch.randint(26, (3,), generator=rng).tolist()]
    n, chinese = torch.randint(1, 4, (2,), generator=rng).tolist()
    return "".join(letters[:n]) + "月" * (chinese == 1)


def talk(rng: torch.Generator, turns: int, system: bool = False) -> Talk:
    """So many messages, the user's first; `system` puts one of the system before them."""
    said = [{"role": ("user", "assistant")[i % 2], "content": word(rng)} for i in range(turns)]
    return [{"role": "system", "content": word(rng)}] * system + said


def tokenizer(rng: torch.Generator) -> Tokenizer:
    """256 bytes in random order, as Qwen's are in none that one would guess, and the control tokens."""
    order = torch.randperm(256, generator=rng).tolist()
    return Tokenizer({bytes([byte]): rank for rank, byte in enumerate(order)}, ("<|im_start|>", "<|im_end|>"))


def layout(messages: Talk) -> bytes:
    """START role newline content END newline for each message, and the opening of an answer that is still to come."""
    said = [(message["role"], message["content"]) for message in messages]
    if said[0][0] != "system":
        said.insert(0, ("system", "You are a helpful assistant."))
    turns = [START + f"{role}\n{content}".encode() + END + b"\n" for role, content in said]
    return b"".join(turns) + (START + b"assistant\n") * (said[-1][0] == "user")


def ids(messages: Talk, vocabulary: Tokenizer) -> list[int]:
    """The layout byte by byte, for a vocabulary that has no longer tokens."""
    control = dict(zip(START + END, vocabulary.control_ids.values()))
    return [control.get(byte, vocabulary.ranks[bytes([byte])]) for byte in layout(messages)]
