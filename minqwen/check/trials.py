"""An exercise's tests, drawn, run on an answer, and compared with what known mistakes give."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from minqwen.check import ask, plain, registry
from minqwen.check.exercise import Exercise
from minqwen.check.parts import Case, Test, WrongAnswer

DRAWS = 2  # how often each test draws its cases: the same shapes, other values


@dataclass(frozen=True)
class Trial:
    """One case of one test, what is expected as plain data, and, once the answer has run, its reply."""

    test: Test
    case: Case
    expected: plain.Plain
    reply: ask.Reply = field(default_factory=ask.Reply)

    @property
    def passed(self) -> bool:
        """Whether the answer gave what was expected."""
        value = self.reply.value
        return value is not None and not self.reply.fault and plain.same(value, self.expected)

    @property
    def size(self) -> int:
        """How many numbers one has to look at to understand this case."""
        given = (len(plain.to_plain(x).values) for x in self.case.args.values() if x is not None)
        return sum(given) + len(self.expected.values)


def draw(found: Exercise, seed: int) -> list[Trial]:
    """Every case of every test. The seed decides all of it."""
    rng = torch.Generator().manual_seed(seed)
    drawn = [(test, case) for test in found.tests for _ in range(DRAWS) for case in test.draw(rng)]
    right = found.right
    return [Trial(test, _with_whole(case, right), plain.to_plain(case.expected)) for test, case in drawn]


def _with_whole(case: Case, right: Callable[..., Any]) -> Case:
    is_part = case.read is not None or case.of or case.gradients or case.slope
    return replace(case, whole=plain.to_plain(right(*copy.deepcopy(list(case.args.values()))))) if is_part else case


def cases(name: str, seed: int = 0) -> list[Case]:
    """The cases of an exercise, for tests that hold a kernel against other peers as well."""
    return [trial.case for trial in draw(registry.find(name), seed)]


def run_tests(found: Exercise, answer: Callable[..., Any], seed: int = 0, guarded: bool = False) -> list[Trial]:
    """The trials with the answer's replies. Unguarded, the library's own function may stand for the answer."""
    drawn = draw(found, seed)
    replies = [ask.ask(answer, trial.case, found, guarded) for trial in drawn]
    return [Trial(trial.test, trial.case, trial.expected, reply) for trial, reply in zip(drawn, replies)]


def mistake(found: Exercise, done: list[Trial]) -> str | None:
    """The sentence of the wrong answer that replies as this answer did.

    Few make one mistake only, so it need not agree everywhere: on all cases of the first property that fails, and on
    most cases that fail. Of several the one that agrees most often.
    """
    failing = [trial for trial in done if not trial.passed]
    first = [trial for trial in done if trial.test is failing[0].test]
    best, most = None, 0
    for wrong in found.wrong_answers.values():
        if _agreeing(found, wrong, first) < len(first) or 2 * _agreeing(found, wrong, failing) <= len(failing):
            continue
        agreeing = _agreeing(found, wrong, done)
        if agreeing > most:
            best, most = wrong.sentence, agreeing
    return best


def _agreeing(found: Exercise, wrong: WrongAnswer, done: list[Trial]) -> int:
    return sum(_alike(ask.ask(wrong.function, t.case, found, guarded=False), t.reply) for t in done)


def _alike(a: ask.Reply, b: ask.Reply) -> bool:
    if a.kind != b.kind or (a.raw is None) != (b.raw is None):
        return False
    if a.raw is None:
        return True
    judged = (a.value is None and b.value is None) or (a.value and b.value and plain.same(a.value, b.value))
    return bool(judged) and plain.same(a.raw, b.raw)
