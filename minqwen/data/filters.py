"""Rules that a text must keep, as a table: a measure and the bounds that it must lie in, for English and for Chinese.

Gopher (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1 and table A1), C4 (Raffel et al. 2020, arXiv:1910.10683,
section 2.2) and FineWeb (Penedo et al. 2024, arXiv:2406.17557, section 3.6) give the English bounds. Those for Chinese
are ours, unless equal: the papers filter English. The Qwen report (arXiv:2309.16609) only says "rule-based".
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from minqwen.data import measures

Bounds = tuple[float | int, float | int]
ANY: Bounds = (-math.inf, math.inf)  # the rule says nothing about this language
STOP_WORDS = {
    "en": frozenset(("the", "be", "to", "of", "and", "that", "have", "with")),  # Gopher's eight
    "zh": frozenset("的一是不了在人有我他这中大来上无何为以之"),  # ours: common today, or in the Tang
}
SHORT = {"en": 30, "zh": 10}  # FineWeb's 30 letters are six words, and so are ten characters, nearly


@dataclass(frozen=True)
class View:
    """A text with its words and lines, which most rules need and none should have to find again."""

    text: str
    language: str

    @cached_property
    def parts(self) -> list[str]:
        """As `measures.parts`."""
        return measures.parts(self.text, self.language)

    @cached_property
    def words(self) -> list[str]:
        """As `measures.words`."""
        return measures.words(self.text, self.language)

    @cached_property
    def lines(self) -> list[str]:
        """As `measures.lines`. trafilatura gives each paragraph a line of its own."""
        return measures.lines(self.text)


class Rule(NamedTuple):
    """low ≤ measure(view) ≤ high, with the bounds of the text's language."""

    name: str
    measure: Callable[[View], float]
    bounds: Mapping[str, Bounds]


def _rule(name: str, measure: Callable[[View], float], en: Bounds, zh: Bounds | None = None) -> Rule:
    return Rule(name, measure, {"en": en, "zh": zh or en})


def _top(view: View, n: int) -> float:
    return measures.top_ngram_share(view.words, n)


def _again(view: View, n: int) -> float:
    return measures.duplicate_ngram_share(view.words, n)


TOP = {2: 0.2, 3: 0.18, 4: 0.16}
AGAIN = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.1}
GOPHER_REPETITION = (
    _rule("gopher_duplicate_lines", lambda v: measures.duplicate_share(v.lines), (0, 0.3)),
    _rule("gopher_duplicate_line_characters", lambda v: measures.duplicate_character_share(v.lines), (0, 0.2)),
    *(_rule(f"gopher_top_{n}_gram", partial(_top, n=n), (0, high)) for n, high in TOP.items()),
    *(_rule(f"gopher_duplicate_{n}_grams", partial(_again, n=n), (0, high)) for n, high in AGAIN.items()),
)
GOPHER = (
    _rule("gopher_word_count", lambda v: float(len(v.words)), (50, 100_000)),
    _rule("gopher_word_length", lambda v: measures.mean_length(v.words), (3, 10), ANY),  # in Chinese always 1
    _rule("gopher_symbols", lambda v: measures.symbols_per_word(v.text, v.words), (0, 0.1)),
    _rule("gopher_bullet_lines", lambda v: measures.starting_share(v.lines, measures.BULLETS), (0, 0.9)),
    _rule("gopher_ellipsis_lines", lambda v: measures.ending_share(v.lines, measures.ELLIPSES), (0, 0.3)),
    # In Chinese each ， stands alone: a poem of five characters a line has one letter in 1.2 parts.
    _rule("gopher_alphabetic_words", lambda v: measures.alphabetic_share(v.parts), (0.8, 1), (0.6, 1)),
    _rule("gopher_stop_words", lambda v: measures.distinct(v.words, STOP_WORDS[v.language]), (2, math.inf)),
)
C4 = (
    _rule("c4_sentences", lambda v: measures.sentence_count(v.text), (5, math.inf)),
    _rule("c4_longest_word", lambda v: measures.longest(v.words), (0, 1000)),
    _rule("c4_curly_brackets", lambda v: float(v.text.count("{")), (0, 0)),
    _rule("c4_lorem_ipsum", lambda v: float(v.text.lower().count("lorem ipsum")), (0, 0)),
)
FINEWEB = (
    _rule("fineweb_ended_lines", lambda v: measures.ending_share(v.lines, measures.ENDS), (0.12, 1)),
    _rule("fineweb_short_lines", lambda v: measures.short_share(v.lines, SHORT[v.language]), (0, 0.67)),
    _rule("fineweb_duplicate_line_characters", lambda v: measures.duplicate_character_share(v.lines), (0, 0.01)),
    _rule("fineweb_line_breaks", lambda v: measures.share(v.text.count("\n"), len(v.words)), (0, 0.3)),
)
RULES = (*GOPHER_REPETITION, *GOPHER, *C4, *FINEWEB)  # in FineWeb's order

# C4 drops such lines, and not their page. Its rule that a line must end in a full stop FineWeb leaves out.
POLICY = re.compile(
    r"javascript|terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
    r"|隐私政策|使用条款|服务条款|使用cookie|备案号|版权所有",
    re.IGNORECASE,
)
CITATION = re.compile(r"\[(?:\d{1,3}|edit|citation needed|编辑|来源请求)\]")


def clean_lines(text: str) -> str:
    """The text without lines about policies and scripts and without the marks of citations, as in C4."""
    return "\n".join(CITATION.sub("", line) for line in text.split("\n") if not POLICY.search(line))


def measure(text: str, language: str, rules: tuple[Rule, ...] = RULES) -> dict[str, float]:
    """What every rule measures in this text, by its name."""
    view = _view(text, language)
    return {rule.name: rule.measure(view) for rule in rules}


def broken_rules(text: str, language: str, rules: tuple[Rule, ...] = RULES) -> list[str]:
    """The names of all rules that this text breaks; none, if it may stay."""
    view = _view(text, language)
    return [rule.name for rule in rules if _breaks(rule, view)]


def first_broken(text: str, language: str, rules: tuple[Rule, ...] = RULES) -> str | None:
    """The name of the first rule that this text breaks, which is why its page is dropped."""
    view = _view(text, language)
    return next((rule.name for rule in rules if _breaks(rule, view)), None)


def _breaks(rule: Rule, view: View) -> bool:
    low, high = rule.bounds[view.language]
    return (low, high) != ANY and not low <= rule.measure(view) <= high


def _view(text: str, language: str) -> View:
    if language not in measures.PARTS:
        choices = ", ".join(measures.PARTS)
        raise ValueError(f"language={language!r} has no rules; drop such pages before, or choose one of {choices}")
    return View(text, language)
