"""Made-up questions for tools. Oracle: the tools themselves, called with what a task says is right."""

import json
import random

import pytest

from minqwen.prompt import practice, react, tools
from minqwen.prompt.practice import Words

WORDS = Words(
    nouns=("age", "colour", "price", "weight", "owner"),
    names=tuple("abcdef"),
    things=("king", "ring"),
    dictionary={"moon": "月", "sea": "海"},
    real=tools.real_tools({"moon": "月", "sea": "海"}, ["诗\n明月\n海上"]),
    plain=[("Repeat: a", "a")],
)


def drawn(kind, many=30):
    rng = random.Random(0)
    return [practice.task(WORDS, rng, kind) for _ in range(many)]


@pytest.mark.parametrize("kind", ["telling", "arbitrary", *practice.REAL])
def test_the_right_call_gives_the_result_and_the_trace_says_so(kind):
    for task in drawn(kind):
        assert [tool.name for tool in task.tools].count(task.name) == 1
        assert tools.call(task.tools, task.name, task.arguments) == task.result
        assert not task.result.startswith(tools.ERROR)
        trace = "".join(text for text, _ in task.trace)
        assert react.parse_react(trace) == (task.name, task.arguments) and react.final_answer(trace) == task.result
        assert json.loads(task.arguments).popitem()[1] in task.question


@pytest.mark.parametrize("kind", practice.KINDS)
def test_a_trace_is_what_the_loop_writes(kind):
    for task in drawn(kind):
        said = iter([text for text, is_said in task.trace if is_said])
        events = list(react.run_react(lambda p, w, said=said: next(said), task.tools, task.question, brief=True))
        assert events[-1] == ("answer", task.result)
        assert all(text.startswith(" ") and text.endswith("\nThought:") for text, is_said in task.trace if not is_said)


def test_a_lookup_is_described_by_its_noun_and_no_other_tool_is():
    for kind in ("telling", "arbitrary"):
        for task in drawn(kind):
            noun = next(noun for noun in WORDS.nouns if f" {noun} " in f" {task.question} ".lower())
            found = [tool.name for tool in task.tools if f" {noun}" in tool.description]
            assert found == [task.name]
            assert (noun in task.name) == (kind == "telling")


@pytest.mark.parametrize("kind", ["no tool", "missing"])
def test_where_no_tool_helps_none_is_called(kind):
    for task in drawn(kind):
        assert task.name is None and task.tools
        assert practice.task(WORDS, random.Random(1), kind).trace[0][1]
        asked = task.question.lower().split()
        assert not any(noun in asked and f" {noun}" in t.description for noun in WORDS.nouns for t in task.tools)


def test_the_same_seed_makes_the_same_questions_and_an_unknown_kind_is_refused():
    assert [t.question for t in drawn("missing")] == [t.question for t in drawn("missing")]
    with pytest.raises(ValueError, match="choose one of telling"):
        practice.task(WORDS, random.Random(0), "weather")
