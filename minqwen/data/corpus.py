"""The shipped bilingual corpus: Shakespeare and Milton, and the poems of the Tang.

Every document belongs to a work (a play; for poems, all poems of one poet), and a work lies wholly in one split,
so that no other edition or neighbouring passage of a held-out text is ever trained on. Compare section 2.1 of the
Qwen report (Bai et al. 2023, arXiv:2309.16609), which removes overlap with the test sets.
"""

import hashlib
import json
import lzma
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

SPLITS = ("train", "held_out")
LANGUAGES = ("en", "zh")
HELD_OUT_WORKS = ("Measure for Measure", "Timon of Athens", "A Lover's Complaint")
HELD_OUT_POETS = 0.045  # share of the Chinese poets, not of their poems


@dataclass(frozen=True)
class Document:
    """One text as a model reads it: a poem with its title line, or a few pages of a play under its name."""

    language: str
    author: str
    work: str
    title: str
    text: str


def split_of(language: str, work: str) -> str:
    """English: the split of a named list. Chinese: held out when SHA-256(poet) / 2^256 < 0.045."""
    if language not in LANGUAGES:
        raise ValueError(f"language={language!r} is not in the corpus; choose one of {LANGUAGES}")
    if language == "en":
        return "held_out" if work in HELD_OUT_WORKS else "train"
    share = int.from_bytes(hashlib.sha256(work.encode()).digest()) / 2**256
    return "held_out" if share < HELD_OUT_POETS else "train"


def load(split: str, language: str | None = None) -> list[Document]:
    """The documents of a split, in one language or in both, in their fixed order."""
    if split not in SPLITS:
        raise ValueError(f"split={split!r} does not exist; choose one of {SPLITS}")
    if language not in (None, *LANGUAGES):
        raise ValueError(f"language={language!r} is not in the corpus; choose one of {LANGUAGES}, or None for both")
    packed = resources.files("minqwen.assets").joinpath(f"corpus/{split}.jsonl.xz").read_bytes()
    return [document for document in unpack(packed) if language in (None, document.language)]


def pack(records: Iterable[Any]) -> bytes:
    """One JSON object a line for every dataclass, compressed with xz."""
    lines = (json.dumps(vars(record), ensure_ascii=False) + "\n" for record in records)
    return lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)


def unpack(packed: bytes, kind: Callable[..., Any] = Document) -> list[Any]:
    """What `pack` was given, each line made into a `kind`."""
    try:
        lines = lzma.decompress(packed).decode().rstrip("\n").split("\n")  # splitlines() would also cut at U+2028
        return [kind(**json.loads(line)) for line in lines]
    except (lzma.LZMAError, ValueError, TypeError) as error:
        raise ValueError(
            f"this file of texts is damaged ({error}); fetch it again, or build it as minqwen/assets/README.md says"
        ) from error
