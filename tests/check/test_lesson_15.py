"""Lesson 15: what the statements claim, and answers in other words. Oracles: patterns, the loop."""

import bisect
import re

import pytest

from minqwen.check import check, using
from minqwen.prompt import least_to_most, metrics, react, tools


def by_pattern(text):
    found = re.fullmatch(r"(?s).*\nAction:((?:(?!\nAction:).)*)\nAction Input:((?:(?!\nAction( Input)?:).)*)", text)
    if not found:
        return "", ""
    before, label, after = found[2].rpartition("\nObservation:")
    return found[1].strip(), (before if label else after).strip()


def by_rows(written, right):
    row = [0] * (len(right) + 1)
    for piece in written:
        new = [0]
        for at, other in enumerate(right):
            new.append(row[at] + 1 if piece == other else max(new[-1], row[at + 1]))
        row = new
    return 2.0 * row[-1] / (len(written) + len(right) or 1)


def by_matching(question):
    if not re.fullmatch(r"\d+( \+ \d+)+ = \?", question):
        return [question]
    first, *rest = re.findall(r"\d+", question)
    return [f"{'{}' if at else first} + {number} = ?" for at, number in enumerate(rest)]


def by_cutting(text):
    before, label, rest = text.rpartition("\nAction Input:")
    _, action, name = before.rpartition("\nAction:")
    if not label or not action or "\nAction:" in rest:
        return ["", ""]
    return [name.strip(), (rest[: rest.rfind("\nObservation:")] if "\nObservation:" in rest else rest).strip()]


def by_best_ends(written, right):
    ends = []
    for piece in written:
        for at in reversed([at for at, other in enumerate(right) if other == piece]):
            place = bisect.bisect_left(ends, at)
            ends[place : place + 1] = [at]
    return len(ends) / (len(written) / 2 + len(right) / 2) if ends else 0.0


def by_converting(question):
    try:
        numbers = [int(part) for part in question.removesuffix(" = ?").split(" + ")]
    except ValueError:
        return [question]
    if not question.endswith(" = ?") or len(numbers) == 1:
        return [question]
    return ["{} + {} = ?".format(*numbers[:2])] + ["{} + " + str(number) + " = ?" for number in numbers[2:]]


OTHER_WORDS = {
    "the parser by patterns": ("parse_react", by_pattern),
    "the subsequence row by row": ("rouge_l", by_rows),
    "the sum by one pattern": ("decompose", by_matching),
    "the parser from the back, into a list": ("parse_react", by_cutting),
    "the subsequence by the earliest ends": ("rouge_l", by_best_ends),
    "the sum by whole numbers": ("decompose", by_converting),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


def test_a_parser_that_returns_two_texts_without_names_runs_the_loop():
    def parse_react(text):
        return by_cutting(text)

    replies = iter(['Action: calculator\nAction Input: {"expression": "6 * 7"}', "\nFinal Answer: 42"])
    with using(parse_react):
        events = list(react.run_react(lambda prompt, written: next(replies), [tools.calculator_tool()], "?"))
        assert metrics.selects('\nAction: a\nAction Input: {"x": 1}', "a")
        assert metrics.argument_match('\nAction: a\nAction Input: {"x": 1}', '{"x": 1}', list) == 1.0
    assert [event.text for event in events if event.kind in ("tool", "answer")] == ["42", "42"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(0.7, None), (0.66, "seven steps"), (0.74, "seven steps"), (0.3, "the rest is right"), (70, "between 0 and 1")],
)
def test_a_share_is_judged_to_two_decimals(answer, reason):
    result = check(answer, "15_step_by_step")
    assert result.passed == (reason is None) and (reason or "") in (result.mistake or "")


def test_loop_metrics_and_steps_run_on_the_learners_functions():
    def parse_react(text):
        return react.Call("", "")

    def rouge_l(written, right):
        return 0.25

    def decompose(question):
        return ["a", "{}b"]

    call = '\nAction: calculator\nAction Input: {"expression": "1"}'
    with using(parse_react), using(rouge_l), using(decompose):
        events = list(react.run_react(lambda prompt, written: call, [tools.calculator_tool()], "?"))
        assert [event.kind for event in events] == ["model", "stopped"]
        assert metrics.argument_match(call, "{}", list) == 0.25
        assert [step.answer for step in least_to_most.least_to_most(str.upper, "1 + 2 = ?")] == ["A", "AB"]
    assert react.parse_react(call).name == "calculator"
