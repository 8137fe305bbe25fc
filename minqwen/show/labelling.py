"""Collecting preferences by hand: answers are scored or ranked, with a way back; how far two people agree.

Qwen Technical Report (arXiv:2309.16609), section 3.2.1: people score answers, and pairs are formed from the scores. The
file is that of `align.preference`, so a reward model trains on it as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minqwen.align import preference

MOST = 4  # answers that one can hold beside one another
SCORES = range(1, 6)
Item = tuple[str, tuple[str, ...]]  # a question and its answers
Judgement = tuple[int | float | None, ...]


@dataclass(frozen=True)
class Labelling:
    """Questions with their answers, and the scores of the first of them. Each step gives a new Labelling."""

    items: tuple[Item, ...]
    given: tuple[Judgement, ...] = ()

    def __post_init__(self):
        for question, answers in self.items:
            if not 2 <= len(answers) <= MOST:
                raise ValueError(f"{question!r} has {len(answers)} answers; give two to {MOST} of them")

    @property
    def current(self) -> Item | None:
        """The question that waits; None at the end."""
        return self.items[len(self.given)] if len(self.given) < len(self.items) else None

    def score(self, scores: Judgement) -> "Labelling":
        """With scores of the current answers, 1 to 5 and more is better; None is an answer left aside."""
        if self.current is None:
            return self
        if len(scores) != len(self.current[1]) or not all(each is None or each in SCORES for each in scores):
            raise ValueError(f"scores={scores} for {len(self.current[1])} answers; give each 1 to 5, or None")
        return replace(self, given=(*self.given, tuple(scores)))

    def rank(self, ranks: Judgement) -> "Labelling":
        """The same by ranks, of which 1 is the best; equals share a rank."""
        return self.score(scores_of(ranks))

    def undo(self) -> "Labelling":
        """Without the last judgement; at the start nothing happens."""
        return replace(self, given=self.given[:-1])

    def scored(self) -> list[preference.Scored]:
        """What has been judged, as training reads it."""
        return [
            preference.Scored(question, answers, scores) for (question, answers), scores in zip(self.items, self.given)
        ]

    @property
    def pairs(self) -> int:
        """How many comparisons that makes; ties make none."""
        return len(preference.comparisons(self.scored()))


def scores_of(ranks: Judgement) -> Judgement:
    """Rank 1 of n answers becomes score n, rank n becomes 1."""
    n = len(ranks)
    if not all(rank is None or 1 <= rank <= n for rank in ranks):
        raise ValueError(f"ranks={ranks} of {n} answers; give each 1 (the best) to {n}, or None")
    return tuple(None if rank is None else n + 1 - rank for rank in ranks)


def save(before: Labelling, after: Labelling, path: Path) -> None:
    """One more judgement is appended; after an undo the file is written anew, whole or not at all."""
    if after.given and after.given[:-1] == before.given:
        preference.append(path, after.scored()[-1])
    elif after != before:
        preference.write(path, after.scored())


def resume(items: Sequence[tuple[str, Sequence[str]]], path: Path) -> Labelling:
    """The labelling of these questions with the judgements that the file holds, if there is one.

    A line that a crash cut off is left out, so its question is asked again.
    """
    whole = tuple((question, tuple(answers)) for question, answers in items)  # lists are as good
    found = preference.read(path, skip_damaged=True) if path.exists() else []
    if tuple((each.question, each.answers) for each in found) != whole[: len(found)]:
        raise ValueError(f"{path} holds judgements of other answers; give those in the same order, or another file")
    return Labelling(whole, tuple(each.scores for each in found))


def choices(scored: Sequence[preference.Scored]) -> dict[tuple[str, str, str], str]:
    """For every two judged answers "first", "second" or "tie"; two people's choices go into `review.agreement`."""
    found = {}
    for each in scored:
        judged = [(answer, score) for answer, score in zip(each.answers, each.scores) if score is not None]
        for at, (a, first) in enumerate(judged):
            for b, second in judged[at + 1 :]:
                found[each.question, a, b] = "tie" if first == second else "first" if first > second else "second"
    return found
