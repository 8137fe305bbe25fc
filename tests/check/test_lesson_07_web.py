"""Lesson 07, the half about pages: what the statements claim, and right answers in other words."""

import contextlib
import io
from collections import Counter

import pytest

from minqwen.check import EXERCISES, check
from minqwen.check.lesson_07 import no_chinese
from minqwen.data import filters, measures


def by_counting(words, n):
    """From the end: a run counts if it is not the first of its kind."""
    runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    left, marked = Counter(runs), set()
    for i in reversed(range(len(runs))):
        left[runs[i]] -= 1
        marked |= set(range(i, i + n)) if left[runs[i]] else set()
    total = len("".join(words))
    return sum(len(words[i]) for i in marked) / total if total else 0.0


def by_slices(words, n):
    """Only lists and strings."""
    marks = [0] * len(words)
    for i in range(len(words)):
        run = words[i : i + n]
        if len(run) == n and any(words[k : k + n] == run for k in range(i)):
            marks[i : i + n] = [1] * n
    whole = sum(map(len, words))
    return float(sum(m * len(w) for m, w in zip(marks, words)) / whole) if whole else 0.0


@pytest.mark.parametrize("answer", [by_counting, by_slices])
def test_a_right_answer_in_other_words_passes(answer):
    assert check(answer, "duplicate_ngram_share")


def test_the_example_of_the_statement_holds():
    assert measures.duplicate_ngram_share(["ab", "c", "ddd", "ab", "c"], 2) == pytest.approx(3 / 9)
    bounds = {rule.name: rule.bounds["en"] for rule in filters.GOPHER_REPETITION}
    assert bounds["gopher_duplicate_5_grams"] == (0, 0.15) and bounds["gopher_duplicate_10_grams"] == (0, 0.1)


def test_the_solution_keeps_the_chinese_that_the_filter_dropped():
    cells = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES['07_no_chinese'].setup}\n\n{EXERCISES['07_no_chinese'].solution}", cells)
    assert cells["broken"](cells["poems"]) == 1 and cells["fixed"](cells["poems"]) == 400
    assert cells["fixed"](cells["poems"]) == len(filters.View(cells["poems"], "zh").words)
    assert no_chinese.broken("To be -- or not to be") == cells["fixed"]("To be -- or not to be") == 6
