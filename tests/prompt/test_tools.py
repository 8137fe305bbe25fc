"""Calls of tools, good and bad. Oracle: what each tool was built to say."""

import json
import time

import pytest

from minqwen.data import corpus, images
from minqwen.prompt import tools
from minqwen.prompt.tools import Parameter, Tool

REAL = tools.real_tools({"moon": "月", "sea": "海"}, ["静夜思\n床前明月光，\n疑是地上霜。"])


def made(run):
    return Tool("t", "T", "Does it.", (Parameter("x", "anything"), Parameter("y", "more", required=False)), run)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("calculator", '{"expression": "2 * (3 + 4)"}', "14"),
        ("Calculator ", '{"expression": "1"}', "1"),
        ("dictionary", '{"word": "Moon"}', "月"),
        ("dictionary", '{"word": "海"}', "sea"),
        ("poem_search", '{"text": "霜"}', "疑是地上霜。"),
    ],
)
def test_the_real_tools_answer(name, arguments, said):
    assert tools.call(list(REAL.values()), name, arguments) == said


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("oracle", "{}", "there is no tool 'oracle'; there are calculator, dictionary, poem_search"),
        ("calculator", "12 + 30", 'no JSON object; write {"expression": "..."}'),
        ("calculator", "[1]", "no JSON object"),
        ("calculator", '{"expression": "1"', "no JSON object"),
        ("calculator", "[" * 100_000, "no JSON object"),
        ("calculator", "{}", "takes expression, not nothing"),
        ("calculator", '{"expression": "1", "x": 2}', "takes expression, not expression, x"),
        ("calculator", '{"expression": 3}', "expression is no text"),
        ("calculator", '{"expression": "__import__(\'os\').getcwd()"}', "use numbers"),
        ("dictionary", '{"word": "sword"}', "not in this dictionary of 2 words"),
        ("poem_search", '{"text": "雪"}', "no line holds"),
        ("poem_search", '{"text": " "}', "give a character or more"),
    ],
)
def test_whatever_goes_wrong_becomes_a_line_for_the_model(name, arguments, reason):
    said = tools.call(list(REAL.values()), name, arguments)
    assert said.startswith(tools.ERROR) and reason in said and "\n" not in said


def test_an_argument_that_is_not_required_may_be_missing():
    assert tools.call([made(lambda x, y="-": x + y)], "t", '{"x": "a"}') == "a-"
    assert "takes x, y" in tools.call([made(lambda x, y="-": x + y)], "t", '{"y": "a"}')


@pytest.mark.parametrize("error", [KeyError("lost"), SystemExit(), ZeroDivisionError("by 0")])
def test_a_tool_that_raises_is_told(error):
    def run(x):
        raise error

    said = tools.call([made(run)], "t", '{"x": ""}')
    assert said == tools.ERROR + (str(error) or "SystemExit")


def test_a_tool_that_hangs_is_left_behind():
    start = time.monotonic()
    said = tools.call([made(lambda x: time.sleep(30))], "t", '{"x": ""}', seconds=0.05)
    assert said == "Error: t took more than 0.05 seconds" and time.monotonic() - start < 10


def test_a_result_is_one_line_and_not_too_long():
    said = tools.call([made(lambda x: x)], "t", json.dumps({"x": "a\nAction: t\r\nAction Input: {}"}))
    assert said == "a Action: t Action Input: {}"
    assert len(tools.call([made(lambda x: "z" * 999)], "t", '{"x": ""}')) == tools.LONGEST
    assert tools.call([made(lambda x: 7)], "t", '{"x": ""}') == "7"


def test_the_schema_is_the_references():
    assert REAL["dictionary"].schema == [
        {
            "name": "word",
            "description": "a word in English or Chinese",
            "required": True,
            "schema": {"type": "string"},
        }
    ]


def test_the_dictionary_of_images_reads_both_ways_and_every_character_stands_in_the_poems():
    assert len(images.IMAGES) == len(set(images.IMAGES.values())) >= 50
    text = "".join(document.text for document in corpus.load("held_out", "zh"))
    assert all(len(c) == 1 and text.count(c) > 10 for c in images.IMAGES.values())
    assert all(word.isalpha() and word.isascii() for word in images.IMAGES)
