"""The same works in two editions: real near-duplicates, whose truth the editors knew and nobody planted.

English: the openings of 35 plays, a modern edition beside the First Folio of 1623 in its own spelling. Chinese: poems
that stand once under the same title and poet in each of two editions of the Complete Tang Poems.
"""

from dataclasses import dataclass
from importlib import resources

from minqwen.data import corpus


@dataclass(frozen=True)
class Pair:
    """One work twice: `first` in the edition of the corpus, `second` in the other."""

    language: str
    author: str
    title: str
    first: str
    second: str


def load(language: str) -> list[Pair]:
    """The pairs of one language, in their fixed order."""
    if language not in corpus.LANGUAGES:
        raise ValueError(f"language={language!r} has no editions here; choose one of {corpus.LANGUAGES}")
    packed = resources.files("minqwen.assets").joinpath("editions/editions.jsonl.xz").read_bytes()
    return [pair for pair in corpus.unpack(packed, Pair) if pair.language == language]
