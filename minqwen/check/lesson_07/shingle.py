"""Exercise 7.2, runs of words. Broder 1997 (https://doi.org/10.1109/SEQUEN.1997.666900), section 2."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.data import minhash

WORDS = ("a", "to", "sea", "moon", "river", "spring", "evening")
HANZI = "春眠不觉晓处闻啼鸟夜来风雨"


def _solution(text: str, n: int, unit: str = "mixed") -> set[str]:
    """The library's, without its check of n."""
    parts = minhash.tokens(text, unit)
    if not parts:
        return set()
    runs = max(1, len(parts) - n + 1)
    return {" ".join(parts[i : i + n]) for i in range(runs)}


def _by_recursion(text: str, n: int, unit: str) -> set[str]:
    """The first run, and the shingles of what is left without the first token."""
    found: set[str] = set()
    left = minhash.tokens(text, unit)
    while len(left) > n:
        found.add(" ".join(left[:n]))
        left = left[1:]
    return found | ({" ".join(left)} if left else set())


def _case(text: str, n: int, unit: str = "mixed", note: str = "") -> Case:
    return Case({"text": text, "n": n, "unit": unit}, _by_recursion(text, n, unit), note)


def _words(rng: torch.Generator, n: int) -> list[str]:
    return [WORDS[i] for i in torch.randperm(len(WORDS), generator=rng)[:n].tolist()]


def _hanzi(rng: torch.Generator, n: int) -> str:
    return "".join(HANZI[i] for i in torch.randperm(len(HANZI), generator=rng)[:n].tolist())


def _english(rng: torch.Generator) -> list[Case]:
    return [_case(" ".join(_words(rng, n)), size) for n, size in ((4, 2), (7, 3))]


def _chinese(rng: torch.Generator) -> list[Case]:
    return [_case(_hanzi(rng, 5), 3, note="each Chinese character is a token")]


def _units(rng: torch.Generator) -> list[Case]:
    mixed, letters = f"{_hanzi(rng, 2)} {_words(rng, 1)[0]} {_hanzi(rng, 3)}", " ".join(_words(rng, 2))
    return [
        _case(mixed, 2, note="a word among characters"),
        _case(mixed, 2, "word", "to this unit a clause is one word"),
        _case(letters, 3, "character"),
    ]


def _short(rng: torch.Generator) -> list[Case]:
    words = _words(rng, 3)
    return [
        _case(" ".join(words), 5, note="fewer tokens than n"),
        _case(" ".join(words), 3, note="exactly n"),
        _case(_hanzi(rng, 3), 5, note="fewer characters than n, joined by blanks"),
        _case(f" {words[0]}  {words[1]}\n", 4, note="whatever blanks stand between its tokens"),
    ]


def _empty(rng: torch.Generator) -> list[Case]:
    n = int(torch.randint(1, 9, (1,), generator=rng))
    return [_case("", n, note="no token: no shingle"), _case(" \n ", n)]


def _repeats(rng: torch.Generator) -> list[Case]:
    a, b = _words(rng, 2)
    return [_case(f"{a} {b} {a} {b} {a} {b}", 2, note="two different runs, however often they come")]


_RUNS = "max(1, len(parts) - n + 1)"
_wrong = partial(parts.mistake, _solution)

EXERCISE = exercise.Implement(
    name="shingle",
    lesson="07_data_cleaning",
    number="7.2",
    title="A text as a set",
    library=minhash.shingle,
    reference=_solution,
    also_closed=(_by_recursion, minhash.hash_text),
    imports="from minqwen.data import minhash",
    statement="""\
To ask how alike two pages are, each becomes a set: of all its **runs of n tokens**. Write `shingle(text, n, unit)`.

- `minhash.tokens(text, unit)` cuts `text` for you: into words (`unit` is "word"), characters ("character"), or words in
  which each Chinese character is a word of its own ("mixed"). It returns a list of strings.
- A run is n tokens that stand one after the other, joined by blanks. Runs overlap: one begins at every token that has
  enough after it. The result is a **set** of strings.
- A text with fewer than n tokens is **one** shingle, all of it. A text without a token has none: the empty set.

For example, with n = 3, "to be or not" gives {"to be or", "be or not"}, and "to be" gives {"to be"}.
""",
    why="Without the rule for short texts they are never compared; without that for empty ones they are all alike.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "How many runs of 3 does a text of 4 tokens have? And one of 3 tokens, or of 2?",
        "A list of m tokens becomes a set of at most m - n + 1 strings.",
        "cut the text; no token, no shingle; otherwise for each place where a run begins, join the n tokens from "
        "there; begin at least once.",
        "A slice that reaches beyond the end of a list just ends there, so a short text needs only one start, at 0.",
    ),
    tests=(
        Test("words in runs of n", _english),
        Test("Chinese characters in runs of n", _chinese),
        Test("the unit decides what a token is", _units),
        Test("a text shorter than a run is one shingle", _short),
        Test("a text without a token has none", _empty),
        Test("each run is there once", _repeats),
    ),
    wrong_answers={
        "short_lost": _wrong(
            "a text with fewer than n tokens has no shingle at all; it should be one, all of it.",
            (_RUNS, "len(parts) - n + 1"),
        ),
        "last_lost": _wrong("the last run is missing.", (_RUNS, "max(1, len(parts) - n)")),
        "tails": _wrong(
            "at the end there are runs of fewer than n tokens; stop when fewer than n are left.",
            (_RUNS, "len(parts)"),
        ),
        "empty_string": _wrong(
            'a text without a token gives {""}, so that all empty pages look alike; it should give the empty set.',
            ("    if not parts:\n        return set()\n", ""),
        ),
        "no_blanks": _wrong(
            'the tokens are joined without blanks, so that "ab c" and "a bc" become the same.',
            ('" ".join(parts', '"".join(parts'),
        ),
        "too_long": _wrong("each run has n + 1 tokens.", ("i + n]", "i + n + 1]")),
        "side_by_side": _wrong(
            "the runs do not overlap: one begins where the last has ended; one should begin at every token.",
            ("range(runs)", "range(0, runs, n)"),
        ),
        "sorted": _wrong(
            "the tokens of a run are sorted; their order is what makes a run.",
            ("parts[i : i + n])", "sorted(parts[i : i + n]))"),
        ),
        "always_mixed": _wrong("the unit is not passed on to tokens.", ("(text, unit)", "(text)")),
        "always_words": _wrong(
            "the text is cut at blanks whatever the unit, so that a Chinese clause is one word.",
            ("minhash.tokens(text, unit)", "text.split()"),
        ),
        "characters": _wrong(
            "the runs are of n characters of the text; they should be of n tokens.",
            ('" ".join(parts[i : i + n])', "text[i : i + n]"),
        ),
        "too_short": _wrong("each run has n - 1 tokens.", ("i + n]", "i + n - 1]")),
        "up_to_n": _wrong(
            "shorter runs are in the result as well; all should have n tokens.",
            ("for i in range(runs)", "for n in range(1, n + 1) for i in range(max(1, len(parts) - n + 1))"),
        ),
        "short_in_pieces": _wrong(
            "each token of a short text is a shingle; all of it should be one.",
            ("    runs = ", "    if len(parts) < n:\n        return set(parts)\n    runs = "),
        ),
        "short_as_given": _wrong(
            "a short text comes back as it was given; it should be its tokens, joined by blanks, like every run.",
            ("    runs = ", "    if len(parts) < n:\n        return {text}\n    runs = "),
        ),
        "filled_up": _wrong(
            "a short text is filled up with empty tokens; it is one shingle as it is.",
            ("    runs = ", '    parts += [""] * (n - len(parts))\n    runs = '),
        ),
        "whole_too": _wrong(
            "the whole text is a shingle as well; only a text shorter than n is one.",
            ("for i in range(runs)}", 'for i in range(runs)} | {" ".join(parts)}'),
        ),
        "tokens_once": _wrong(
            "tokens that come again are left out before runs are made; each run is there once, not each token.",
            ("parts = minhash.tokens(text, unit)", "parts = list(dict.fromkeys(minhash.tokens(text, unit)))"),
        ),
    },
)
