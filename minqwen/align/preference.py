"""Preferences: answers that were scored, the pairs that follow from the scores, and the file that keeps them.

Qwen Technical Report (arXiv:2309.16609), section 3.2.1: answers of several models are scored by people, and pairs are
formed from the scores. The file is what the labelling tool writes and what training reads: a line of JSON a question.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from minqwen.data import store


@dataclass(frozen=True)
class Scored:
    """Answers to one question and how good each is: more is better, None where nobody judged."""

    question: str
    answers: tuple[str, ...]
    scores: tuple[int | float | None, ...]

    def __post_init__(self):
        if len(self.scores) != len(self.answers):
            raise ValueError(
                f"{len(self.answers)} answers with {len(self.scores)} scores; give a score or null for each answer"
            )
        for score in self.scores:
            if score is not None and not math.isfinite(score):
                raise ValueError(f"score {score} is no finite number; give one, or null for an answer not judged")


@dataclass(frozen=True)
class Comparison:
    """Two answers to one question, the better one first, and by how much it scored more."""

    question: str
    chosen: str
    rejected: str
    gap: int | float


def pairs_from_scores(scores: Sequence[int | float | None]) -> set[tuple[int, int]]:
    """(better, worse) for every two answers of which one scored more; one that nobody judged is in none."""
    judged = [(at, score) for at, score in enumerate(scores) if score is not None]
    return {(i, j) for i, a in judged for j, b in judged if a > b}


def comparisons(scored: Sequence[Scored], least: int | float = 0.0) -> list[Comparison]:
    """All pairs of all questions whose scores differ by `least` or more; a text against itself is none."""
    found = []
    for each in scored:
        for better, worse in sorted(pairs_from_scores(each.scores)):
            gap = each.scores[better] - each.scores[worse]
            if gap >= least and each.answers[better] != each.answers[worse]:
                found.append(Comparison(each.question, each.answers[better], each.answers[worse], gap))
    return found


def with_noise(pairs: Sequence[Comparison], share: float, generator: torch.Generator) -> list[Comparison]:
    """Every pair is turned round with probability `share`, as careless labellers would; its gap then is below 0."""
    if not 0 <= share <= 0.5:
        raise ValueError(f"share={share} must lie between 0 and 0.5; above, labels would say the opposite on the whole")
    turned = (torch.rand(len(pairs), generator=generator) < share).tolist()
    return [replace(p, chosen=p.rejected, rejected=p.chosen, gap=-p.gap) if t else p for p, t in zip(pairs, turned)]


def append(path: Path, scored: Scored) -> None:
    """Add a line, in one write. After a line that a crash cut off, it begins a line of its own."""
    line = json.dumps(asdict(scored), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def write(path: Path, scored: Sequence[Scored]) -> None:
    """A whole file at once: afterwards it holds all of these, or is as it was."""
    store.write_lines(path, map(asdict, scored))


def read(path: Path, skip_damaged: bool = False) -> list[Scored]:
    """What a file holds. A line that is cut off or wrong is an error that names it, or is left out."""
    found, damaged = [], []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            try:
                found.append(_parsed(json.loads(line)))
            except ValueError as error:
                damaged.append(f"line {number} ({error})")
    if damaged and not skip_damaged:
        raise ValueError(
            f"{path}: {'; '.join(damaged[:3])} cannot be read; the other {len(found)} can: mend the line, or read with "
            "skip_damaged=True"
        )
    return found


def _parsed(record: Any) -> Scored:
    """Only what JSON can say wrongly is checked here; the rest by Scored."""
    if not isinstance(record, dict) or not {"question", "answers", "scores"} <= record.keys():
        raise ValueError("no object with question, answers and scores; write one a line")
    question, answers, scores = record["question"], record["answers"], record["scores"]
    texts = isinstance(answers, list) and all(isinstance(text, str) for text in (question, *answers))
    numbers = isinstance(scores, list) and all(each is None or type(each) in (int, float) for each in scores)
    if not texts or not numbers:
        raise ValueError("question and answers are no texts, or a score is no number; write texts, numbers and nulls")
    return Scored(question, tuple(answers), tuple(scores))
