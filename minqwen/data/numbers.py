"""Numbers from 0 to 999 in three writings: 12, twelve, 十二; and the characters of all three as ids.

English in the American way, without "and".
"""

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WRITINGS = ("digits", "english", "chinese")
LIMIT = 1000  # numbers below it can be written

_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_SMALL, _TENS = _WORDS.split()[:20], _WORDS.split()[20:]
_DIGITS = "零一二三四五六七八九"

PAD, START, STOP = 0, 1, 2
_INTO = len((PAD, START, STOP))  # then one id for each writing that may be asked for, then the characters
ALPHABET = tuple("0123456789 -abcdefghijklmnopqrstuvwxyz" + _DIGITS + "十百")
VOCAB_SIZE = _INTO + len(WRITINGS) + len(ALPHABET)


class Pair(NamedTuple):
    """One number in one writing, and the writing that is asked for, as ids."""

    source: list[int]
    target: list[int]


def write(number: int, writing: str) -> str:
    """The number in one of WRITINGS: 12, "twelve" or 十二."""
    if not 0 <= number < LIMIT:
        raise ValueError(f"{number} cannot be written; numbers lie between 0 and {LIMIT - 1}")
    if writing not in WRITINGS:
        raise ValueError(f"there is no writing {writing!r}; use one of {', '.join(WRITINGS)}")
    return {"digits": str, "english": _english, "chinese": _chinese}[writing](number)


def _english(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [_SMALL[hundreds], "hundred"] if hundreds else []
    tens, ones = divmod(rest, 10)
    if tens > 1:
        words.append(_TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else ""))
    elif rest or not hundreds:
        words.append(_SMALL[rest])
    return " ".join(words)


def _chinese(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    text = f"{_DIGITS[hundreds]}百" if hundreds else ""
    if tens:
        # 12 is 十二, but 112 is 一百一十二: the one before ten is left out only at the head of a number.
        text += "十" if number < 20 else f"{_DIGITS[tens]}十"
    elif hundreds and ones:
        text += "零"  # it stands for the tens that are missing in the middle
    return text + (_DIGITS[ones] if ones or not number else "")


def read(text: str, writing: str) -> int | None:
    """The number that `write` writes so, or None if there is none."""
    return next((number for number in range(LIMIT) if write(number, writing) == text), None)


def split(held_out: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Numbers to learn from and numbers held out; 0, the only one that says "zero", is never held out."""
    order = list(range(1, LIMIT))
    random.Random(seed).shuffle(order)
    return sorted([0, *order[held_out:]]), sorted(order[:held_out])


def encode(text: str) -> list[int]:
    """An id for each character."""
    unknown = sorted(set(text) - set(ALPHABET))
    if unknown:
        raise ValueError(f"{''.join(unknown)!r} is in no number; characters are {''.join(ALPHABET)!r}")
    return [_INTO + len(WRITINGS) + ALPHABET.index(character) for character in text]


def decode(ids: Iterable[int]) -> str:
    """The characters up to STOP; what is none of them is left out."""
    text, first = "", _INTO + len(WRITINGS)
    for i in ids:
        if i == STOP:
            break
        text += ALPHABET[i - first] if i >= first else ""
    return text


def question(text: str, into: str) -> list[int]:
    """What the encoder reads: the writing that is asked for, then the characters."""
    return [_INTO + WRITINGS.index(into), *encode(text)]


def pairs(numbers: Sequence[int]) -> list[Pair]:
    """Every number in all six directions; a target begins with START and ends with STOP."""
    return [
        Pair(question(write(number, source), into=target), [START, *encode(write(number, target)), STOP])
        for number in numbers
        for source in WRITINGS
        for target in WRITINGS
        if source != target
    ]
