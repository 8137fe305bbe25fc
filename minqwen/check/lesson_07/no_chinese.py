"""Exercise 7.10, a filter that keeps no Chinese. Rae et al. 2021, Gopher (arXiv:2112.11446), appendix A.1.1."""

import re
from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test

POEM = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少"
ENGLISH = ("the", "ferry", "leaves", "at", "nine", "o'clock", "and", "waits", "half-past", "café")
SIGNS = ("，", "。", "！", "；")


def broken(text: str) -> int:
    """How many words a page has; what holds no letter and no digit is no word. Gopher keeps 50 to 100,000."""
    words = text.split()
    return sum(re.search(r"\w", word) is not None for word in words)


def _counted(text: str) -> int:
    """Go through the characters, and begin a word at each Chinese one and at each other one after a gap."""
    words, current = [], ""
    for character in text + " ":
        if "\u4e00" <= character <= "\u9fff" or character.isspace():
            words += [current, character]
            current = ""
        else:
            current += character
    return len([word for word in words if any(letter.isalnum() for letter in word)])


def _case(text: str, note: str = "") -> Case:
    return Case({"text": text}, _counted(text), note)


def _chinese(rng: torch.Generator, count: int) -> str:
    """Characters with a sign after every fifth or so."""
    chosen = torch.randint(0, len(POEM), (count,), generator=rng).tolist()
    sign = SIGNS[int(torch.randint(0, len(SIGNS), (1,), generator=rng))]
    return "".join(POEM[i] + (sign if k % 5 == 4 else "") for k, i in enumerate(chosen))


def _english(rng: torch.Generator, count: int) -> str:
    chosen = torch.randint(0, len(ENGLISH), (count,), generator=rng).tolist()
    return " ".join(ENGLISH[i] for i in chosen)


def _size(rng: torch.Generator, low: int) -> int:
    return low + int(torch.randint(0, 7, (1,), generator=rng))


def _only_chinese(rng: torch.Generator) -> list[Case]:
    return [_case(_chinese(rng, 5 * _size(rng, 1)), "a line of Chinese"), _case(_chinese(rng, _size(rng, 50)))]


def _only_english(rng: torch.Generator) -> list[Case]:
    return [_case(f"{_english(rng, _size(rng, 3))} -- & ."), _case(_english(rng, _size(rng, 50)))]


def _both(rng: torch.Generator) -> list[Case]:
    a, b = _chinese(rng, _size(rng, 3)), _english(rng, _size(rng, 3))
    return [
        _case(f"{a} {b}", "both languages"),
        _case(f"{b} {a} 42, {a}"),
        _case(f"{a}GPT{a}", "no blanks between them"),
    ]


def _nothing(rng: torch.Generator) -> list[Case]:
    signs = "".join(SIGNS[i] for i in torch.randint(0, len(SIGNS), (3,), generator=rng).tolist())
    return [_case(signs, "only signs"), _case(f" {signs} -- \n")]


_CAUSES = {
    "a": Cause(
        "50 words are too many to ask of a Chinese page, which says more with less.",
        "a page of ten thousand characters without a blank counts as one word as well; no bound above 1 keeps it.",
    ),
    "b": Cause("split() cuts at blanks, and Chinese has none, so a whole line counts as one word."),
    "c": Cause(
        "A Chinese character takes three bytes in UTF-8, and the filter counts bytes.",
        "a string of Python's is made of characters; its bytes would only be counted after .encode().",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="07_no_chinese",
    lesson="07_data_cleaning",
    number="7.10",
    title="A filter that keeps no Chinese",
    broken=broken,
    also_closed=(_counted,),
    mend=(("text.split()", 're.findall(r"[\\u4e00-\\u9fff]|[^\\s\\u4e00-\\u9fff]+", text)'),),
    imports="import re",
    symptom="""\
poems = "床前明月光，疑是地上霜。举头望明月，低头思故乡。" * 20
print("400 characters of poems should count as 400 words, and stay, but:", broken(poems))""",
    statement=f"""\
A crawl of English and Chinese pages went through the rules of Gopher. Of the English pages most are left, of the
Chinese ones none. The first rule, which wants 50 to 100,000 words, has dropped them all.

`broken(text)` is what it counts with. Write `fixed(text)`:

- Each Chinese character, U+4E00 to U+9FFF, counts as a word.
- Everything else is counted as before: what stands between blanks, or between Chinese characters, is one word, if it
  holds a letter or a digit. Signs alone, such as 。 or --, are no word.

Set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A rule that was written for one language is wrong in another without any error: only the funnel shows it.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "What does poems.split() give? How long is that list?",
        "A text goes in, an int comes out; only the line that makes the list of words is wrong.",
        "find everything that is one Chinese character, or a run of characters that are neither blank nor Chinese.",
        "In a regular expression, [a-f] is one character of a range, x|y is either, and \\u4e00 can stand in a range.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("a Chinese character is a word, a sign is none", _only_chinese),
        Test("English is counted as before", _only_english),
        Test("a page in both languages is counted in both", _both),
        Test("a page of signs has no word", _nothing),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "clauses": _wrong(
            r"now a run of letters is a word, as \w+ finds it; a clause of Chinese is one run, and counts once.",
            ("text.split()", 're.findall(r"\\w+", text)'),
        ),
        "letters_only": _wrong(
            "now a sign inside a word cuts it; o'clock and half-past are one word each, as before.",
            ("text.split()", 're.findall(r"[\\u4e00-\\u9fff]|[A-Za-z0-9]+", text)'),
        ),
        "every_character": _wrong(
            "now every character counts, in English as well; there a word is what stands between blanks.",
            ("text.split()", "list(text)"),
        ),
        "only_chinese": _wrong(
            "now only Chinese characters count; English words and numbers are words as well.",
            ("text.split()", 're.findall(r"[\\u4e00-\\u9fff]", text)'),
        ),
        "signs_too": _wrong(
            "now 。 and ， count as words; what holds no letter and no digit is none.",
            ("text.split()", 're.findall(r"[\\u4e00-\\u9fff]|[^\\s\\u4e00-\\u9fff]+", text)'),
            (r're.search(r"\w", word) is not None', "len(word) > 0"),
        ),
        "bytes": _wrong(
            "now the bytes of what stands between blanks count, three for a Chinese character; count words.",
            ('sum(re.search(r"\\w", word) is not None for word in words)', "sum(len(word.encode()) for word in words)"),
        ),
        "joined_to_the_next": _wrong(
            "now a word and the Chinese character just after it count as one; between Chinese characters it is a word.",
            ("text.split()", 're.sub(r"([\\u4e00-\\u9fff])", r"\\1 ", text).split()'),
        ),
    },
)
