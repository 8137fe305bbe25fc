"""Drills in copying, made by a program: lists to write again, and names to find in a list.

Olsson et al. 2022, "In-context Learning and Induction Heads" (arXiv:2209.11895): a model writes again what it has
never seen by looking at what came after the same token before. Large models can do it from their texts, and a tool
that is new to them is a name to copy; our small one has to practise.
"""

import random
from collections.abc import Sequence

Piece = tuple[str, bool]  # a part of the text, and whether it is to be learned

LINES = ("{name}: Finds the {key} of something.\n", "{name}: Gives the {key} of a thing.\n", "the {key}: {name}\n")
SEPARATORS = (", ", "\n", " ", "; ")


def name(words: Sequence[str], rng: random.Random) -> str:
    """One word, or two or three joined by _ as in the names of tools."""
    return "_".join(rng.sample(list(words), rng.choice((1, 1, 2, 2, 3))))


def again(words: Sequence[str], rng: random.Random) -> list[Piece]:
    """Two to ten names, and the same once more, which is learned."""
    listed = rng.choice(SEPARATORS).join(name(words, rng) for _ in range(rng.randint(2, 10))) + "\n"
    return [(listed, False), (listed, True)]


def found(words: Sequence[str], rng: random.Random) -> list[Piece]:
    """Names in a list, each with a word, as tools with what they are for; then each word, and its name is learned."""
    keys = rng.sample(list(words), rng.randint(2, 6))
    pairs = [(key, name(words, rng)) for key in keys]
    line = rng.choice(LINES)
    pieces = [("".join(line.format(key=key, name=named) for key, named in pairs), False)]
    for key, named in rng.sample(pairs, len(pairs)):
        pieces += [(f"I need the {key}.\nAction: ", False), (f"{named}\n", True)]
    return pieces
