"""What the rules count: shares of words, lines and repeats, each a pure function of a text or of its parts.

Rae et al. 2021, "Scaling Language Models: ... Gopher" (arXiv:2112.11446), appendix A.1.1 and table A1. A Chinese text
has no blanks between words, so its words are its characters; nothing else differs.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
PARTS = {"en": re.compile(r"\S+"), "zh": re.compile(rf"[{HAN}]|[^\s{HAN}]+")}
LETTER_OR_DIGIT, LETTER = re.compile(r"[^\W_]"), re.compile(r"[^\W\d_]")
# The look back and the + behind: a row of a million signs is read once, not from each of them.
SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)]*+(?=\s|$)|[。！？…]+")
ELLIPSES = ("...", "…")
BULLETS = tuple("•●○■□▪‣◦·-*–")
ENDS = tuple(".!?\"'”’。！？；」』…")  # the last marks of a line; Chinese couplets also end in ；
EDGES = ".,;:!?\"'()[]"


def parts(text: str, language: str) -> list[str]:
    """What stands between blanks; in Chinese also each character, and what is between two of them."""
    return PARTS[language].findall(text)


def words(text: str, language: str) -> list[str]:
    """The parts that hold a letter or a digit."""
    return [part for part in parts(text, language) if LETTER_OR_DIGIT.search(part)]


def lines(text: str) -> list[str]:
    """Without blank lines, and without the blanks around a line."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def share(part: float | int, whole: float | int) -> float:
    """part / whole, and 0 of nothing."""
    return part / whole if whole else 0.0


def mean_length(words: Sequence[str]) -> float:
    """Characters a word."""
    return share(sum(map(len, words)), len(words))


def longest(words: Sequence[str]) -> float:
    """Characters of the longest word."""
    return float(max(map(len, words), default=0))


def symbols_per_word(text: str, words: Sequence[str]) -> float:
    """Signs # or ellipses, whichever are more, to a word; their number where there is no word."""
    return max(text.count("#"), sum(map(text.count, ELLIPSES))) / max(len(words), 1)


def alphabetic_share(parts: Sequence[str]) -> float:
    """Share of the parts with a letter in them."""
    return share(sum(LETTER.search(part) is not None for part in parts), len(parts))


def distinct(words: Sequence[str], wanted: Collection[str]) -> float:
    """How many different ones of the wanted words occur."""
    return float(len({word.lower().strip(EDGES) for word in words} & set(wanted)))


def starting_share(lines: Sequence[str], marks: tuple[str, ...]) -> float:
    """Share of the lines that begin with one of the marks."""
    return share(sum(line.startswith(marks) for line in lines), len(lines))


def ending_share(lines: Sequence[str], marks: tuple[str, ...]) -> float:
    """Share of the lines that end with one of the marks."""
    return share(sum(line.endswith(marks) for line in lines), len(lines))


def short_share(lines: Sequence[str], limit: int) -> float:
    """Share of the lines of `limit` characters at most."""
    return share(sum(len(line) <= limit for line in lines), len(lines))


def repeated(lines: Sequence[str]) -> list[str]:
    """The lines that have occurred before: of three equal ones the second and the third."""
    seen: set[str] = set()
    return [line for line in lines if line in seen or seen.add(line)]


def duplicate_share(lines: Sequence[str]) -> float:
    """Share of the lines that have occurred before."""
    return share(len(repeated(lines)), len(lines))


def duplicate_character_share(lines: Sequence[str]) -> float:
    """Share of the characters in lines that have occurred before."""
    return share(sum(map(len, repeated(lines))), sum(map(len, lines)))


def top_ngram_share(words: Sequence[str], n: int) -> float:
    """Share of the characters in the run of n words that covers most of them; of a run that occurs once none."""
    counts = Counter(zip(*(words[i:] for i in range(n))))
    most = max((count * sum(map(len, run)) for run, count in counts.items() if count > 1), default=0)
    return share(most, sum(map(len, words)))


def duplicate_ngram_share(words: Sequence[str], n: int) -> float:
    """Share of the characters in runs of n words that have occurred before, each character counted once."""
    seen: set[tuple[str, ...]] = set()
    again = [False] * len(words)
    for i, run in enumerate(zip(*(words[i:] for i in range(n)))):
        if run in seen:
            again[i : i + n] = [True] * n
        seen.add(run)
    return share(sum(len(word) for word, counts in zip(words, again) if counts), sum(map(len, words)))


def sentence_count(text: str) -> float:
    """How many sentences end in the text."""
    return float(len(SENTENCE_END.findall(text)))
