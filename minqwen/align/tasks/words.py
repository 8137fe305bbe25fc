"""Tasks on lists: copy, reverse, count, sort, asked in English and in Chinese."""

import random
from collections.abc import Sequence

from minqwen.align.tasks.example import Example

ASKED = {
    "copy": ("Repeat these words: {}", "抄写：{}"),
    "reverse": ("Write these words in reverse order: {}", "倒着写：{}"),
    "count": ("How many words are these? {}", "有几个字？{}"),
    "sort": ("Sort these numbers, the smallest first: {}", "从小到大排列：{}"),
}
LENGTHS = {"copy": (3, 6), "reverse": (3, 6), "count": (3, 8), "sort": (3, 4)}


def make(task: str, english: Sequence[str], chinese: Sequence[str], rng: random.Random) -> Example:
    """One example of a task of ASKED, with words of one of the two lists, or with numbers below 100."""
    language = rng.randrange(2)
    length = rng.randint(*LENGTHS[task])
    if task == "sort":
        items = [str(number) for number in rng.sample(range(100), length)]
    else:
        items = rng.sample((english, chinese)[language], length)
    given = " ".join(items)
    answer = {
        "copy": lambda: items,
        "reverse": lambda: items[::-1],
        "count": lambda: [str(length)],
        "sort": lambda: sorted(items, key=int),
    }[task]()
    return Example(task, ASKED[task][language].format(given), " ".join(answer), given)
