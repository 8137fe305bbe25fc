"""Texts that a program can mark: sums for a small Math-Qwen, one-line functions for a small Code-Qwen.

The Qwen report (Bai et al. 2023, arXiv:2309.16609), sections 4 and 5, marks code by running its tests and mathematics
by the final answer. Every fifth item is held out, so that an answer has to be worked out, or at least put together.
"""

import ast
import random
from collections.abc import Iterator
from typing import NamedTuple

OPERATIONS = {
    "add {n} to x": "x + {n}",
    "subtract {n} from x": "x - {n}",
    "subtract x from {n}": "{n} - x",
    "multiply x by {n}": "x * {n}",
    "square x and add {n}": "x * x + {n}",
}
TRIED = (0, 1, 2, 7, 40)  # values of x with which a function is tested
HELD_OUT = 5  # every fifth


class Item(NamedTuple):
    """What the model reads, and what it should write next."""

    prompt: str
    answer: str

    @property
    def text(self) -> str:
        """Both, as in training."""
        return self.prompt + self.answer


def sums() -> list[Item]:
    """a + b of all a from 10 to 99 and b from 1 to 9."""
    return [Item(f"{a} + {b} =", f" {a + b}\n") for a in range(10, 100) for b in range(1, 10)]


def functions() -> list[Item]:
    """One-line functions with what they do as a comment, for all n from 2 to 99."""
    pairs = [(said, code, n) for said, code in OPERATIONS.items() for n in range(2, 100)]
    return [Item(f"# {said.format(n=n)}\ndef f(x):\n    return", f" {code.format(n=n)}\n") for said, code, n in pairs]


def split(items: list[Item], seed: int = 0) -> tuple[list[Item], list[Item]]:
    """Training and held-out items; of each kind the same ones for a seed."""
    shuffled = random.Random(seed).sample(items, k=len(items))
    return shuffled[len(items) // HELD_OUT :], shuffled[: len(items) // HELD_OUT]


def pages(items: list[Item], seed: int = 0, size: int = 20) -> Iterator[str]:
    """Documents of `size` items in a new order each time round, without end."""
    rng = random.Random(seed)
    while True:
        order = rng.sample(items, k=len(items))
        for start in range(0, len(order) - size + 1, size):
            yield "".join(item.text for item in order[start : start + size])


def is_right(item: Item, written: str) -> bool:
    """A sum by its digits; a function by the values that it gives, whatever its wording."""
    line = written.split("\n")[0].strip()
    if "def" not in item.prompt:
        return line == item.answer.strip()
    try:
        return all(value(line, x) == value(item.answer.strip(), x) for x in TRIED)
    except (ValueError, SyntaxError):
        return False


def value(expression: str, x: int) -> int:
    """What +, − and × of whole numbers and x come to. The text is read, never run: a model wrote it."""
    signs = {ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__}

    def of(node: ast.AST) -> int:
        if isinstance(node, ast.BinOp) and type(node.op) in signs:
            return signs[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.Name) and node.id == "x":
            return x
        raise ValueError(f"{ast.dump(node)} is no sum, difference or product; write +, -, * with x and whole numbers")

    return of(ast.parse(expression, mode="eval").body)
