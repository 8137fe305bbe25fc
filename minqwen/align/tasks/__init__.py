"""The apprentice poet's tasks: instructions whose answers a program can mark.

In the place of the conversations that people wrote for the Qwen report (arXiv:2309.16609), section 3.1.1. Verse is held
out by work, as in the corpus, and training verse that shares 13 tokens in a row with it, or a title, is dropped
(section 2.1; Brown et al. 2020, arXiv:2005.14165, appendix C). Lists, numbers and sums are held out by their hash.
"""

import hashlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Collection, Iterator

from minqwen.align.tasks import sums, verse, words
from minqwen.align.tasks.example import Example
from minqwen.data import corpus, decontaminate, numbers

VERSE = ("quatrain", "line")
TASKS = (*VERSE, *words.ASKED, "convert", "add")
COMMONEST = 500  # words and characters of the corpus that lists are made of
HELD_OUT = 1 / 8  # of all lists, numbers and sums


def is_right(example: Example, written: str) -> bool:
    """A poem or a line of verse by its form; everything else by being the answer."""
    written = written.strip()
    if example.task == "quatrain":
        return verse.is_quatrain(written)
    if example.task == "line":
        return verse.is_verse(written) and written != example.given
    return written == example.answer


def examples(split: str, size: int, seed: int = 0, only: Collection[str] = TASKS) -> list[Example]:
    """Up to `size` examples of each task, shuffled; those of "train" share nothing with any of "held_out".

    All tasks of the training split take some seconds, `only` verse or only sums less.
    """
    if size < 1:
        raise ValueError(f"size={size} makes no example; use 1 or more of each task")
    if unknown := set(only) - set(TASKS):
        raise ValueError(f"there is no task {sorted(unknown)}; choose of {TASKS}")
    rng = random.Random(f"{split} {seed}")
    english, chinese = commonest() if set(only) & set(words.ASKED) else ([], [])
    made = []
    for task in [task for task in TASKS if task in only]:
        if task in words.ASKED:
            endless = (words.make(task, english, chinese, rng) for _ in itertools.count())
            made += itertools.islice((e for e in endless if split_of(e.given) == split), size)
        else:
            found = list(_verse(split, task) if task in VERSE else _sums(split, task))
            made += rng.sample(found, min(size, len(found)))
    return rng.sample(made, len(made))


def split_of(given: str) -> str:
    """Held out when SHA-256(given) / 2^256 < 1/8: the same for every seed, and without a list to keep."""
    share = int.from_bytes(hashlib.sha256(given.encode()).digest()) / 2**256
    return "held_out" if share < HELD_OUT else "train"


def commonest(many: int = COMMONEST) -> tuple[list[str], list[str]]:
    """The `many` commonest English words, in small letters, and Chinese characters of the training texts."""
    english = Counter(re.findall(r"\b[a-z]{3,8}\b", " ".join(d.text for d in corpus.load("train", "en"))))
    chinese = Counter(re.findall(r"[\u4e00-\u9fff]", "".join(d.text for d in corpus.load("train", "zh"))))
    return [word for word, _ in english.most_common(many)], [c for c, _ in chinese.most_common(many)]


def _verse(split: str, task: str) -> list[Example]:
    language, make = {"quatrain": ("zh", verse.quatrains), "line": ("en", verse.lines)}[task]
    found = list(dict.fromkeys(make(corpus.load(split, language))))
    if split == "held_out":
        return found
    test = _verse("held_out", task)
    titles = {example.given for example in test}
    runs = decontaminate.collect_ngrams(example.answer for example in test)
    return [e for e in found if e.given not in titles and not decontaminate.overlaps(e.answer, runs)]


def _sums(split: str, task: str) -> Iterator[Example]:
    if task == "convert":
        # Zero alone says "zero", and the numbers below 20 have names of their own: nobody could work these out.
        return sums.conversions(n for n in range(numbers.LIMIT) if split == ("train" if n < 20 else split_of(str(n))))
    pairs = [(a, b) for a in range(10, 100) for b in range(1, 10)]
    return sums.additions(pair for pair in pairs if split_of(f"{pair[0]} + {pair[1]}") == split)
