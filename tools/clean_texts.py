"""Cleans the training texts of the corpus with the functions of lesson 07, and says what went and why.

Near-duplicates go, and what the held-out texts share goes; the held-out texts themselves stay as they are, one fixed
ruler. Two stages of lesson 07 are for pages of the web and would ruin verse: the language identifier takes a third of
the Tang poems for another language, and "five sentences a page" would drop four fifths of them. The lesson counts both.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from minqwen.data import corpus, decontaminate, dedup


class Likeness(NamedTuple):
    """When two texts are near-duplicates: Jaccard similarity of their runs of n words or Chinese characters."""

    n: int
    threshold: float


# A quatrain has 20 characters: one that differs changes 5 of its 16 runs of five (0.52), 3 of its 18 of three (0.71).
LIKE = {"en": Likeness(5, 0.7), "zh": Likeness(3, 0.5)}
OVERLAP = 13  # words or characters in a row, as in the Qwen report (arXiv:2309.16609), section 2.1


def clean(
    train: Sequence[corpus.Document], held_out: Sequence[corpus.Document]
) -> tuple[list[corpus.Document], list[dict[str, Any]]]:
    """The training documents that stay, in their order; and for each that goes the stage, and what it is like."""
    dropped: dict[int, dict[str, Any]] = {}
    for language in corpus.LANGUAGES:
        places = [i for i, document in enumerate(train) if document.language == language]
        ruler = [document for document in held_out if document.language == language]
        for at, record in _leaks([train[i] for i in places], ruler):
            dropped[places[at]] = record
        rest = [i for i in places if i not in dropped]
        for at, record in _copies(ruler, [train[i] for i in rest], LIKE[language]):
            dropped[rest[at]] = record
    kept = [document for i, document in enumerate(train) if i not in dropped]
    return kept, [_named(train[i]) | dropped[i] for i in sorted(dropped)]


def body(document: corpus.Document) -> str:
    """The text without its title line: two sonnets of one cycle share a title and are no duplicates."""
    return document.text.partition("\n")[2]


def _leaks(texts: Sequence[corpus.Document], ruler: Sequence[corpus.Document]) -> Iterator[tuple[int, dict[str, Any]]]:
    runs = decontaminate.collect_ngrams([body(document) for document in ruler], OVERLAP)
    for at, document in enumerate(texts):
        if shared := decontaminate.overlaps(body(document), runs, OVERLAP):
            yield at, {"stage": "decontamination", "reason": "held_out_run", "run": min(shared)}


def _copies(
    ruler: Sequence[corpus.Document], texts: Sequence[corpus.Document], like: Likeness
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Held-out texts stand first, so that a training text like one of them gives way."""
    both = [*ruler, *texts]
    found = dedup.deduplicate([body(document) for document in both], like.threshold, like.n, star=True)
    for at in range(len(texts)):
        first = found.first[len(ruler) + at]
        if first != len(ruler) + at:
            stage, reason = ("decontamination", "near_held_out") if first < len(ruler) else ("near", "near_copy")
            similarity = round(found.similarity[len(ruler) + at], 3)
            yield at, {"stage": stage, "reason": reason, "like": _named(both[first]), "similarity": similarity}


def _named(document: corpus.Document) -> dict[str, str]:
    return {"language": document.language, "author": document.author, "title": document.title}


def funnel(begun: dict[str, Counter], train: Sequence[corpus.Document], dropped: list[dict[str, Any]]) -> dict:
    """For each language how many texts there were, and how many are left after each stage."""
    left = {}
    for language, counts in begun.items():
        whole = sum(document.language == language for document in train)
        gone = Counter(record["stage"] for record in dropped if record["language"] == language)
        left[language] = {
            "in the package": whole + counts.total(),
            "whole": whole + counts["same_text"] + counts["held_out"],
            "exact": whole + counts["held_out"],
            "training split": whole,
            "near": whole - gone["near"],
            "decontamination": whole - gone["near"] - gone["decontamination"],
        }
    return left
