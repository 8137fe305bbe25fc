"""Drills in copying, made by a program: lists to write again, and names to find in a list.

Olsson et al. 2022, "In-context Learning and Induction Heads" (arXiv:2209.11895): a model writes again what it has
never seen by looking at what came after the same token before. Large models can do it from their texts, and a tool
that is new to them is a name to copy; our small one has to practise.
"""

import random
from collections.abc import Sequence

Piece = tuple[str, bool]  # a part of the text, and whether it is to be learned

LINES = ("Finds the {}. {}\n", "Gives the {}. {}\n", "The {}. {}\n")
SEPARATORS = (", ", "\n", " ", "; ")


def name(words: Sequence[str], rng: random.Random) -> str:
    """One word, or two or three joined by _ as in the names of tools."""
    return "_".join(rng.sample(list(words), rng.choice((1, 1, 2, 2, 3))))


def again(words: Sequence[str], rng: random.Random) -> list[Piece]:
    """Two to ten names, and the same once more, which is learned."""
    listed = rng.choice(SEPARATORS).join(name(words, rng) for _ in range(rng.randint(2, 10))) + "\n"
    return [(listed, False), (listed, True)]


def found(words: Sequence[str], rng: random.Random) -> list[Piece]:
    """Words in a list, each with a name, as tools are listed; then each word again, and its name is learned."""
    pairs = [(key, name(words, rng)) for key in rng.sample(list(words), rng.randint(2, 6))]
    line = rng.choice(LINES)
    pieces = [("".join(line.format(*pair) for pair in pairs), False)]
    for key, named in rng.sample(pairs, len(pairs)):
        pieces += [(f"I need the {key}.", False), (f" {named}\n", True)]
    return pieces
