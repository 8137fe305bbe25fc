"""Drills in copying, made by a program: lists to write again, and names to find in a list.

Olsson et al. 2022, "In-context Learning and Induction Heads" (arXiv:2209.11895): a model writes again what it has
never seen by looking at what came after the same token before. Large models can do it from their texts, and a tool
that is new to them is a name to copy; our small one has to practise.
"""

import random
from collections.abc import Sequence

Piece = tuple[str, bool]  # a part of the text, and whether it is to be learned

ASKS = ("Which is {}?", "{}?", "Find {}.", "I need the {}.")
SEPARATORS = (", ", "\n", " ", "; ")


def name(words: Sequence[str], rng: random.Random) -> str:
    """One word, or two or three joined by _ as in the names of tools."""
    return "_".join(rng.sample(list(words), rng.choice((1, 1, 2, 2, 3))))


def again(words: Sequence[str], rng: random.Random) -> list[Piece]:
    """Two to ten names, and the same once more, which is learned."""
    listed = rng.choice(SEPARATORS).join(name(words, rng) for _ in range(rng.randint(2, 10))) + "\n"
    return [(listed, False), (listed, True)]


def found(words: Sequence[str], rng: random.Random) -> list[Piece]:
    """Names beside words in a list, then up to three of the words; the name that stands beside each is learned."""
    keys = rng.sample(list(words), rng.randint(2, 6))
    names = [name(words, rng) for _ in keys]
    line, ask = rng.choice(("{1}: {0}\n", "{0}: {1}\n")), rng.choice(ASKS)
    pieces = [("".join(line.format(*pair) for pair in zip(keys, names)), False)]
    for i in rng.sample(range(len(keys)), min(len(keys), 3)):
        pieces += [(f"{ask.format(keys[i])} ", False), (f"{names[i]}\n", True)]
    return pieces
