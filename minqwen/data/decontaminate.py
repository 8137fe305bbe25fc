"""Decontamination: find what a training text shares with a test set.

Qwen report (Bai et al. 2023, arXiv:2309.16609), section 2.1, after Brown et al. 2020 (arXiv:2005.14165), appendix C:
13 words in a row in common. A test item shorter than that has no 13 words, and would never be found: it counts as a
whole.
"""

from collections.abc import Iterable
from typing import NamedTuple

from minqwen.data import minhash, normalize


class TestNgrams(NamedTuple):
    """Runs of tokens by their length, and the items that are too short to tell a leak from a common phrase."""

    by_length: dict[int, set[str]]
    too_short: list[str]


def collect_ngrams(items: Iterable[str], n: int = 13, shortest: int = 4) -> TestNgrams:
    """All runs of n tokens of the test items; of an item with fewer than n the whole, if it has `shortest` or more."""
    found = TestNgrams({}, [])
    for item in items:
        runs = minhash.shingle(normalize.normalize_text(item), n)
        length = min((run.count(" ") + 1 for run in runs), default=0)
        if length < min(shortest, n):
            found.too_short.append(item)
        else:
            found.by_length.setdefault(length, set()).update(runs)
    return found


def overlaps(text: str, test_ngrams: TestNgrams, n: int = 13) -> set[str]:
    """The runs that the text shares with the test set; none, if it is clean."""
    longest = max(test_ngrams.by_length, default=0)
    if longest > n:
        raise ValueError(f"the test set was collected in runs of {longest} tokens, not n={n}; give n={longest}")
    normal = normalize.normalize_text(text)
    shared = (minhash.shingle(normal, length) & runs for length, runs in test_ngrams.by_length.items())
    return set().union(*shared)
