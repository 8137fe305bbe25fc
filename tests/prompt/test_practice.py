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


def test_one_to_three_tools_are_on_offer_of_either_sort_of_name_and_real_ones_among_them():
    assert {len(task.tools) for task in drawn("calculator")} == {2, 3}
    offered = [tool for task in drawn("telling") for tool in task.tools]
    assert {tool.name for tool in offered} & set(practice.REAL)
    made = [tool.name for task in drawn("missing") for tool in task.tools if tool.name not in practice.REAL]
    telling = [any(noun in name for noun in WORDS.nouns) for name in made]
    assert any(telling) and not all(telling)


def test_the_right_tool_may_stand_at_any_place():
    places = {
        ([tool.name for tool in task.tools].index(task.name), len(task.tools)) for task in drawn("calculator", 90)
    }
    assert places == {(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)}


def test_a_word_is_asked_for_in_the_other_language():
    for task in drawn("dictionary"):
        given = json.loads(task.arguments)["word"]
        assert given in task.arguments, "a character is not spelled as a number"
        assert ("English" if given in WORDS.dictionary.values() else "Chinese") in task.question


def test_sums_and_descriptions_are_of_every_sort():
    given = [json.loads(task.arguments)["expression"] for task in drawn("calculator")]
    assert {sum_.split()[1] for sum_ in given} == set("+-*")
    described = [tool.description for task in drawn("telling") for tool in task.tools]
    for pattern in practice.DESCRIBED:
        before, after = pattern.split("{}")
        assert any(text.startswith(before) and text.endswith(after) for text in described), pattern


def test_no_word_stands_in_two_arbitrary_names():
    for task in drawn("arbitrary"):
        words = [word for tool in task.tools if tool.name not in practice.REAL for word in tool.name.split("_")]
        assert len(set(words)) == len(words)


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
