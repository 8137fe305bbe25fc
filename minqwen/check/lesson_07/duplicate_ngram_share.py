"""Exercise 7.9, how much of a page repeats itself. Rae et al. 2021, Gopher (arXiv:2112.11446), table A1."""

from collections.abc import Sequence
from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.data import measures

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _solution(words: Sequence[str], n: int) -> float:
    """The library's, with the division written out."""
    seen = set()
    again = [False] * len(words)
    for i in range(len(words) - n + 1):
        run = tuple(words[i : i + n])
        if run in seen:
            again[i : i + n] = [True] * n
        seen.add(run)
    covered = sum(len(word) for word, repeats in zip(words, again) if repeats)
    return covered / sum(len(word) for word in words) if covered else 0.0


def _searched(words: list[str], n: int) -> float:
    """Ask for every word of every run whether the run stood anywhere before."""
    repeated = set()
    for end in range(n, len(words) + 1):
        earlier = [words[start : start + n] for start in range(end - n)]
        if words[end - n : end] in earlier:
            repeated.update(range(end - n, end))
    letters = [letter for word in words for letter in word]
    return len([letter for i in repeated for letter in words[i]]) / len(letters) if letters else 0.0


def _words(rng: torch.Generator, count: int) -> list[str]:
    """Different words of different lengths."""
    order = torch.randperm(len(LETTERS), generator=rng).tolist()
    lengths = torch.randint(1, 6, (count,), generator=rng).tolist()
    return [LETTERS[i] * length for i, length in zip(order, lengths)]


def _case(words: list[str], n: int, note: str = "") -> Case:
    return Case({"words": words, "n": n}, _searched(words, n), note)


def _none(rng: torch.Generator) -> list[Case]:
    return [_case(_words(rng, 5), 2, "no word comes twice"), _case(_words(rng, 3), 5, "fewer words than n")]


def _later(rng: torch.Generator) -> list[Case]:
    a, b, c = _words(rng, 3)
    d = a + b  # longer than both, so that words and characters give other shares
    return [_case([a, b, d, a, b], 2, "one run of two, again at the end"), _case([a, b, c, d, a, b, c], 3)]


def _three(rng: torch.Generator) -> list[Case]:
    a, b, c, d = _words(rng, 4)
    return [_case([a, b, c, a, b, d, a, b], 2, "three times the same run: the first of them counts as new")]


def _overlaps(rng: torch.Generator) -> list[Case]:
    a, b = _words(rng, 2)
    return [_case([a] * 4 + [b], 2, "repeats that overlap"), _case([a, b, a, b, a, b], 3)]


def _other_words(rng: torch.Generator) -> list[Case]:
    a, b, c, d = _words(rng, 4)
    return [
        _case([a + b, c, d, a, b + c], 2, "the same letters, in other words"),
        _case([a, b, c, b, a], 2, "the same words in another order"),
    ]


def _empty(rng: torch.Generator) -> list[Case]:
    [a] = _words(rng, 1)
    return [_case([], 2, "a page without a word"), _case([a], 2)]


def _values(rng: torch.Generator) -> list[Case]:
    few = _words(rng, 3)
    drawn = torch.randint(0, 3, (3, 13), generator=rng).tolist()
    return [_case([few[i] for i in row], n) for row, n in zip(drawn, (2, 3, 4))]


_wrong = partial(parts.mistake, _solution)

EXERCISE = exercise.Implement(
    name="duplicate_ngram_share",
    lesson="07_data_cleaning",
    number="7.9",
    title="How much of a page repeats itself?",
    library=measures.duplicate_ngram_share,
    reference=_solution,
    also_closed=(_searched,),
    imports="from collections.abc import Sequence",
    statement="""\
Spam and broken templates say the same again and again. Gopher drops a page if too many of its **characters** stand in
runs of n words that **have occurred before**: more than 15 % for n = 5, more than 10 % for n = 10.

Write `duplicate_ngram_share(words, n)`: that share, a number from 0 to 1.

- `words` is the list of the page's words, and a run is any `n` of them in a row: there are len(words) − n + 1 runs.
- The first time a run comes it is new. Each time it comes again, all its words count.
- A word that stands in several such runs counts once. What is counted are characters, not words.
- A page without words, or without repeats, has a share of 0.0.

For example, n = 2 and the words `["ab", "c", "ddd", "ab", "c"]`: the run `ab c` comes again at the end, and covers 3 of
9 characters: **0.333**.
""",
    why="With five lines of code and no model at all, this rule drops most of what machines write to fill pages.",
    points=3,
    minutes=15,
    difficulty=3,
    hints=(
        "For every run: has it occurred before? Which kind of collection answers that at once?",
        "One truth value a word says whether it stands in a repeated run: a list as long as words.",
        "for each i: run = the n words from i; if seen before: mark the words i to i + n - 1; then remember the run.",
        "A list cannot be in a set; a tuple can.",
    ),
    tests=(
        Test("a page that never repeats a run has a share of 0", _none),
        Test("a run that comes again counts once, by its characters", _later),
        Test("the first time is new, every later time counts", _three),
        Test("what stands in two repeated runs counts once", _overlaps),
        Test("a run is its words in their order", _other_words),
        Test("a page without words has a share of 0", _empty),
        Test("agrees with a slow search", _values),
    ),
    wrong_answers={
        "first_time_too": _wrong(
            "the first time a run comes counts as well; it is new, and only what comes later repeats it.",
            (
                "        if run in seen:",
                "        if sum(tuple(words[k : k + n]) == run for k in range(len(words))) > 1:",
            ),
        ),
        "words_not_characters": _wrong(
            "this is the share of words; the rule counts characters.",
            ("sum(len(word) for word, repeats in zip(words, again) if repeats)", "sum(again)"),
            ("sum(len(word) for word in words)", "len(words)"),
        ),
        "only_the_last_word": _wrong(
            "only one word of a repeated run counts; all n of them do.",
            ("again[i : i + n] = [True] * n", "again[i + n - 1] = True"),
        ),
        "last_run_missed": _wrong(
            "the last run is never looked at: there are len(words) - n + 1 of them.",
            ("range(len(words) - n + 1)", "range(len(words) - n)"),
        ),
        "side_by_side": _wrong(
            "only the run just before is remembered; a run repeats any that came earlier, however far.",
            ("seen.add(run)", "seen = {run}"),
        ),
        "counted_twice": _wrong(
            "a word that stands in two repeated runs counts twice; mark it, and count the marked ones at the end.",
            ("again = [False] * len(words)", "again, covered = [False] * len(words), 0"),
            ("again[i : i + n] = [True] * n", "covered += sum(map(len, run))"),
            ("    covered = sum(len(word) for word, repeats in zip(words, again) if repeats)\n", ""),
        ),
        "single_words": _wrong(
            "this looks for single words that come again; a run of n in a row has to.",
            ("if run in seen:", "if words[i] in [word for run in seen for word in run[:1]]:"),
        ),
        "no_overlap": _wrong(
            "after a run the search jumps over its n words, so runs that begin between are missed.",
            ("range(len(words) - n + 1)", "range(0, len(words) - n + 1, n)"),
        ),
        "glued": _wrong(
            "the words of a run are glued together, so ab c and a bc are the same; a tuple keeps them apart.",
            ("tuple(words[i : i + n])", '"".join(words[i : i + n])'),
        ),
        "sorted": _wrong(
            "the words of a run are sorted; their order counts.",
            ("tuple(words", "tuple(sorted(words"),
            ("+ n])\n        if", "+ n]))\n        if"),
        ),
        "share_of_runs": _wrong(
            "this is the share of the runs that repeat one; the rule counts characters.",
            (
                "sum(len(word) for word, repeats in zip(words, again) if repeats)",
                "max(0, len(words) - n + 1) - len(seen)",
            ),
            ("sum(len(word) for word in words)", "(len(words) - n + 1)"),
        ),
        "blanks_below": _wrong(
            "the whole is counted with its blanks; count the characters of the words on both sides.",
            ("sum(len(word) for word in words)", 'len(" ".join(words))'),
        ),
        "longer_runs": _wrong("these are runs of n + 1 words.", ("    again = ", "    n += 1\n    again = ")),
        "jump": _wrong(
            "after a repeat the search jumps over its n words, so what overlaps it is missed.",
            ("if run in seen:", "if any(again[i : i + n]):\n            continue\n        if run in seen:"),
        ),
    },
)
