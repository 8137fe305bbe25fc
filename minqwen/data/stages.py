"""The steps of cleaning, each on one page or one shard: what stays, or the stage and the reason why not.

The order is that of section 2.1 of the Qwen report (Bai et al. 2023, arXiv:2309.16609): text from HTML, language, exact
and fuzzy deduplication, rules, a classifier; and decontamination last.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import xxhash

from minqwen.data import decontaminate, dedup, filters, html, language, store

STAGES = ("html", "language", "exact", "near", "rules", "quality", "decontamination")
PROBE = "The ferry leaves at nine. 渡船九点出发。"  # how a classifier scores it tells one classifier from another


@dataclass(frozen=True)
class Settings:
    """What a run is made of; the caller makes it once: `language.Identifier()`, the `score` of a classifier, ..."""

    identify: Callable[[str], language.Guess]
    score: Callable[[Sequence[str]], Any]
    min_score: float
    test_ngrams: decontaminate.TestNgrams
    threshold: float = 0.7
    rules: tuple[filters.Rule, ...] = field(default=filters.RULES, repr=False)

    def fingerprint(self) -> str:
        """The same for settings that drop the same pages."""
        rules = [(rule.name, sorted(rule.bounds.items())) for rule in self.rules]
        runs = sorted((length, sorted(found)) for length, found in self.test_ngrams.by_length.items())
        probe = round(float(self.score([PROBE])[0]), 6)
        return digest(repr(each) for each in (self.min_score, self.threshold, rules, runs, probe, self.identify(PROBE)))


def digest(parts: Any) -> str:
    """128 bits of all parts in order, strings or bytes."""
    state = xxhash.xxh3_128()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        state.update(len(raw).to_bytes(8, "little") + raw)
    return state.hexdigest()


def read(page: html.Page, settings: Settings) -> store.Record:
    """Its language and its text, without lines about policies; or the stage and reason of its end."""
    text, reason = html.extract(page.html, page.content_type)
    text = filters.clean_lines(text).strip()
    if reason or not text:
        return {"stage": "html", "reason": reason or "no_text"}
    guess = settings.identify(text)
    if guess.language == "other":
        reason = "unsure" if guess.label in language.OURS else guess.label or "no_language"
        return {"stage": "language", "reason": reason, "confidence": round(guess.confidence, 3)}
    return {"language": guess.language, "text": text}


def duplicates(texts: Sequence[str], pages: Sequence[int], settings: Settings) -> Iterator[store.Record]:
    """The pages that are like an earlier one, and which that is. `pages` holds the number of each text's page."""
    found = dedup.deduplicate(texts, settings.threshold)
    exact = set(found.exact)
    for i, first in enumerate(found.first):
        if first != i:
            stage, reason = ("exact", "same_text") if i in exact else ("near", "near_copy")
            similarity = round(found.similarity[i], 3)
            yield {"page": pages[i], "stage": stage, "reason": reason, "like": pages[first], "similarity": similarity}


def judge(records: Sequence[store.Record], settings: Settings) -> list[store.Record]:
    """The records of read pages, each with what ends it, if anything: a rule, a low score, a run of a test item."""
    judged = []
    scores = settings.score([record["text"] for record in records]) if records else []
    for record, score in zip(records, scores):
        rule = filters.first_broken(record["text"], record["language"], settings.rules)
        score = round(float(score), 4)
        if rule:
            end = {"stage": "rules", "reason": rule}
        elif score < settings.min_score:
            end = {"stage": "quality", "reason": "low_score"}
        elif runs := decontaminate.overlaps(record["text"], settings.test_ngrams):
            end = {"stage": "decontamination", "reason": "test_overlap", "run": min(runs)}
        else:
            end = {}
        judged.append(record | {"score": score} | end)
    return judged
