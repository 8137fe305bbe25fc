"""Tasks in verse: a five-character quatrain (五言绝句) on a title; the line that follows a line of Shakespeare."""

import itertools
import re
from collections.abc import Iterable, Iterator

from minqwen.align import gold
from minqwen.align.tasks.example import Example
from minqwen.data.corpus import Document

QUATRAIN = "以《{}》为题写一首五言绝句。"
LINE = "Continue this verse with one line: {}"
MARKS = "，", "。\n", "，", "。"
WORD, VOWELS = re.compile(r"[a-z']+"), re.compile(r"[aeiouy]+")
SILENT = re.compile(r"(?<=[a-z][^aeiouyltd'])ed$|(?<=[a-z][^aeiouyl'])es?$")
SYLLABLES = range(8, 13)  # a line of ten, give or take what our rule miscounts


def quatrains(poems: Iterable[Document]) -> Iterator[Example]:
    """Poems of four lines of five characters; of eight such lines each half, which rhymes and is built like one."""
    for poem in poems:
        lines = gold.lines_of(poem.text.partition("\n")[2])
        if len(lines) not in (4, 8) or any(len(line) != gold.WIDTH for line in lines) or "《" in poem.title:
            continue
        for start in range(0, len(lines), 4):
            answer = "".join(line + mark for line, mark in zip(lines[start:], MARKS))
            if is_quatrain(answer):
                yield Example("quatrain", QUATRAIN.format(poem.title), answer, poem.title)


def is_quatrain(written: str) -> bool:
    """Four lines of five Chinese characters, with commas and full stops as in print."""
    return re.fullmatch(r"([\u4e00-\u9fff]{5}，[\u4e00-\u9fff]{5}。\n?){2}", written.strip()) is not None


def lines(plays: Iterable[Document]) -> Iterator[Example]:
    """Two neighbouring lines of verse; the name of a speaker, a stage direction or a line of prose is none."""
    for play in plays:
        rows = play.text.split("\n")
        for first, second in itertools.pairwise(rows):
            if is_verse(first) and is_verse(second) and first != second:
                yield Example("line", LINE.format(first), second, first)


def is_verse(line: str) -> bool:
    """Words and marks alone, a capital letter first, and about ten syllables."""
    fits = re.fullmatch(r"[A-Z][A-Za-z',;:.!?\- ]+", line) and any(letter.islower() for letter in line)
    return bool(fits) and syllables(line) in SYLLABLES


def syllables(line: str) -> int:
    """Groups of vowels in each word; a last e, or ed after most letters, is silent. A rule of thumb."""
    count = 0
    for word in WORD.findall(line.lower()):
        spoken = SILENT.sub("", word) if word.endswith(("e", "es", "ed")) else word
        count += max(len(VOWELS.findall(spoken)), 1)
    return count
