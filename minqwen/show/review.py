"""Manual review: one page after another is kept or dropped, with a way back; and how far two reviewers agree.

Step 6 of section 2.1 of the Qwen report (arXiv:2309.16609): samples of each source are reviewed by people. Agreement
beyond chance: Cohen 1960, "A Coefficient of Agreement for Nominal Scales" (https://doi.org/10.1177/001316446002000104).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minqwen.data import store

VERDICTS = ("keep", "drop")


@dataclass(frozen=True)
class Review:
    """Pages, and the verdicts on the first of them. Nothing changes in place: each step gives a new Review."""

    pages: tuple[tuple[str, str], ...]  # a name, such as the URL, and a text
    verdicts: tuple[str, ...] = ()

    @property
    def current(self) -> tuple[str, str] | None:
        """The page that waits for a verdict; None at the end."""
        return self.pages[len(self.verdicts)] if len(self.verdicts) < len(self.pages) else None

    def decide(self, verdict: str) -> "Review":
        """With a verdict on the current page; at the end nothing happens."""
        if verdict not in VERDICTS:
            raise ValueError(f"verdict={verdict!r} says nothing; choose one of {VERDICTS}")
        return replace(self, verdicts=(*self.verdicts, verdict)) if self.current else self

    def undo(self) -> "Review":
        """Without the last verdict; at the start nothing happens."""
        return replace(self, verdicts=self.verdicts[:-1])

    def records(self) -> list[dict[str, str]]:
        """The pages that have a verdict, as lines of the file."""
        return [
            {"name": name, "verdict": verdict, "text": text} for (name, text), verdict in zip(self.pages, self.verdicts)
        ]


def save(review: Review, path: Path) -> None:
    """One line of JSON a verdict; the file is whole at any time, and a classifier can learn from it."""
    store.write_lines(path, review.records())


def resume(pages: Sequence[tuple[str, str]], path: Path) -> Review:
    """The review of these pages with the verdicts that the file holds, if there is one."""
    found = list(store.read_lines(path)) if path.exists() else []
    if [record["name"] for record in found] != [name for name, _ in pages[: len(found)]]:
        raise ValueError(f"{path} holds verdicts on other pages; give those pages in the same order, or another file")
    return Review(tuple(pages), tuple(record["verdict"] for record in found))


def agreement(a: Mapping[Any, str], b: Mapping[Any, str]) -> float:
    """Cohen's κ = (p - e) / (1 - e) over the names in both: p is how often they agree, e how often by chance.

    1 if they always agree, 0 if no more than chance would; also 1 if both say one and the same of all.
    """
    both = sorted(a.keys() & b.keys())
    if not both:
        raise ValueError("no page has a verdict of both reviewers; let both look at the same sample")
    agreed = sum(a[name] == b[name] for name in both) / len(both)
    said = {each[name] for each in (a, b) for name in both}
    shares = [{v: sum(each[name] == v for name in both) / len(both) for v in said} for each in (a, b)]
    chance = sum(shares[0][verdict] * shares[1][verdict] for verdict in sorted(said))
    return 1.0 if chance == 1 else (agreed - chance) / (1 - chance)


def verdicts(path: Path) -> dict[str, str]:
    """Each page's verdict by its name, for `agreement`."""
    return {record["name"]: record["verdict"] for record in store.read_lines(path)}
