"""Lesson 15: what the statements claim, and answers in other words. Oracles: patterns, the loop."""

import re

import pytest

from minqwen.check import check, using
from minqwen.prompt import least_to_most, metrics, react, tools


def by_pattern(text):
    found = re.fullmatch(r"(?s)(.*)\nAction:(.*)\nAction Input:(.*?)(\nObservation:.*)?", text)
    return (found[2].strip(), found[3].strip()) if found else ("", "")


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


OTHER_WORDS = {
    "the parser by patterns": ("parse_react", by_pattern),
    "the subsequence row by row": ("rouge_l", by_rows),
    "the sum by one pattern": ("decompose", by_matching),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


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
