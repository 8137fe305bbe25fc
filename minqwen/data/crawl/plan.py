"""What is planted where: the truth about every page of the mini-crawl, before any page is written.

Shares and similarities are fixed before anything is measured.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from minqwen.data import corpus
from minqwen.data.crawl import foreign, markup, prose, spam

SHARES = {"spam": 0.15, "duplicate": 0.20, "foreign": 0.10, "leaked": 0.015, "hazard": 0.01}  # the rest is good
SIMILARITIES = (1.0, 0.95, 0.9, 0.85, 0.8)  # of duplicates, in equal numbers; 1 means equal after normalisation
UNLIKE = 0.5  # similarity of the near misses: one good page in twenty is half of another, and no duplicate
TESTED = 0.4  # share of the domains that belong to the test side
MOST_PER_DOMAIN = 12
HEADING = re.compile(r"act|scene|enter|exit|\W", re.IGNORECASE)  # lines that every play has


@dataclass(frozen=True)
class Truth:
    """What was planted in the page of this URL. `text` is what a reader would read, a paragraph a line."""

    url: str
    domain: str
    split: str  # "train" or "test": of the domain, with its template and its kinds of spam
    kind: str  # "good" or one of SHARES
    language: str  # "en", "zh" or "other"
    text: str = ""
    family: str = ""  # of spam, or the language of a foreign page
    original: str = ""  # the URL of which this is a copy, or a near miss
    similarity: float = 0.0  # with the original: Jaccard of runs of five tokens
    leaked: str = ""  # the item of the test set that the text holds
    reason: str = ""  # why the page cannot be read


@dataclass(frozen=True)
class Site:
    """A domain: its side, its template, and the language of its menus."""

    split: str
    template: str
    menu: str


def sites(rng: random.Random, size: int) -> dict[str, Site]:
    """Domains for so many pages, each on one side."""
    found = {}
    for i in range(max(size // MOST_PER_DOMAIN * 2, 20)):
        split = "test" if i % 10 < 10 * TESTED else "train"
        found[f"site{i:04}.example"] = Site(split, rng.choice(markup.TEMPLATES[split]), rng.choice(("en", "zh")))
    return found


def exam(rng: random.Random, size: int = 200) -> list[str]:
    """A test set from held-out works: long items, and whole answers too short to hold 13 tokens in a row."""
    items, documents = [], corpus.load("held_out")
    for language in corpus.LANGUAGES:
        texts = [document.text for document in documents if document.language == language]
        lines = {line for text in texts for line in text.split("\n")[1:] if not HEADING.match(line)}
        lines = sorted(line for line in lines if len(prose.tokens(line)) >= 8)
        items += rng.sample(lines, k=size // 2)
    return items


def unseen(items: list[str], texts: list[str]) -> list[str]:
    """The items that no text holds by chance: a common phrase in both would be no leak."""
    joined = "\n".join(f" {' '.join(prose.tokens(text))} " for text in texts)
    return [item for item in items if f" {' '.join(prose.tokens(item))} " not in joined]


class Planner:
    """Plans the pages of each kind, one text of the corpus to a page."""

    def __init__(self, rng: random.Random, size: int, known_sites: dict[str, Site], test_set: list[str]):
        documents = corpus.load("train")
        self.rng, self.sites, self.test_set = rng, known_sites, test_set
        self.texts = {name: prose.passages(rng, documents, name) for name in corpus.LANGUAGES}
        self.counts = {kind: round(share * size) for kind, share in SHARES.items()}
        self.counts["good"] = size - sum(self.counts.values())
        self.placed = 0

    def all(self) -> list[Truth]:
        """Every page, kind after kind."""
        good = list(self.good())
        pages = [*good, *self.duplicates(good), *self.spam(), *self.foreign()]
        self.test_set = unseen(self.test_set, [truth.text for truth in pages])
        return [*pages, *self.leaks(), *self.hazards()]

    def good(self) -> Iterator[Truth]:
        """Passages, every third with remarks; one in twenty is half of an earlier one."""
        earlier: list[Truth] = []
        for i in range(self.counts["good"]):
            language = corpus.LANGUAGES[i % 2]
            if i % 20 == 19 and i > 40:
                yield self._copy("good", self.rng.choice(earlier), UNLIKE)
                continue
            paragraphs = next(self.texts[language])
            if i % 3 == 0:
                paragraphs = [prose.remarks(self.rng, language, 4), *paragraphs, prose.remarks(self.rng, language, 3)]
            earlier.append(self._place("good", language, text="\n".join(paragraphs)))
            yield earlier[-1]

    def duplicates(self, good: list[Truth]) -> Iterator[Truth]:
        """Copies of good pages, never of copies."""
        originals = [truth for truth in good if not truth.original]
        for i in range(self.counts["duplicate"]):
            yield self._copy("duplicate", self.rng.choice(originals), SIMILARITIES[i % len(SIMILARITIES)])

    def spam(self) -> Iterator[Truth]:
        """Advertisements alone, and by turns with a copied text, on the family's side."""
        for i in range(self.counts["spam"]):
            family = spam.FAMILIES[i % len(spam.FAMILIES)]
            if i // len(spam.FAMILIES) % 2:
                text = spam.adverts(self.rng, family, self.rng.randrange(4, 8))
            else:
                text = spam.scraped(self.rng, family, next(self.texts[family.language]))
            yield self._place("spam", family.language, family.split, text="\n".join(text), family=family.name)

    def foreign(self) -> Iterator[Truth]:
        """Notices in eight other languages."""
        names = list(foreign.SENTENCES)
        for i in range(self.counts["foreign"]):
            name = names[i % len(names)]
            text = "\n".join(foreign.paragraphs(self.rng, name))
            yield self._place("foreign", "other", text=text, family=name)

    def leaks(self) -> Iterator[Truth]:
        """Passages with an item of the test set as one more paragraph, in other signs."""
        chinese = [re.search(f"[{prose.HAN}]", item) is not None for item in self.test_set]
        items = [[item for item, han in zip(self.test_set, chinese) if han is side] for side in (False, True)]
        for i in range(self.counts["leaked"]):
            item = items[i % 2][i // 2 % len(items[i % 2])]
            paragraphs = next(self.texts[corpus.LANGUAGES[i % 2]])
            paragraphs.insert(self.rng.randrange(len(paragraphs) + 1), prose.exact_copy(self.rng, [item])[0])
            yield self._place("leaked", corpus.LANGUAGES[i % 2], text="\n".join(paragraphs), leaked=item)

    def hazards(self) -> Iterator[Truth]:
        """Pages that cannot be read, each kind by turns."""
        for i in range(self.counts["hazard"]):
            yield self._place("hazard", "other", reason=markup.HAZARDS[i % len(markup.HAZARDS)])

    def _place(self, kind: str, language: str, split: str = "", **rest: Any) -> Truth:
        domain = self.rng.choice([name for name, site in self.sites.items() if split in ("", site.split)])
        self.placed += 1
        url = f"https://{domain}/{self.placed}"
        return Truth(url, domain, self.sites[domain].split, kind, language, **rest)

    def _copy(self, kind: str, original: Truth, similarity: float) -> Truth:
        paragraphs, exact = original.text.split("\n"), similarity == 1
        copy = prose.exact_copy(self.rng, paragraphs) if exact else prose.near_copy(self.rng, paragraphs, similarity)
        text = "\n".join(copy)
        truth = self._place(kind, original.language, text=text, original=original.url)
        return replace(truth, similarity=prose.jaccard(original.text, text))
