"""Calls of tools, good and bad. Oracle: what each tool was built to say."""

import json
import threading
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
        ("dictionary", '{"word": " Moon "}', "月"),
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
        ("calculator", "[" * 10_000 + "]" * 10_000, "no JSON object"),
        ("calculator", '{"expression": ' + "9" * 5000 + "}", "no JSON object"),
        ("calculator", '{"expression": NaN}', "no JSON object"),
        ("calculator", '{"expression": "1", "expression": "2"}', "no JSON object"),
        ("calculator", "null", "no JSON object"),
        ("calculator", '{"expression": null}', "expression is no text"),
        ("calculator", "{}", "takes expression, not nothing"),
        ("calculator", '{"expression": "1", "x": 2}', "takes expression, not expression, x"),
        ("calculator", '{"expression": 3}', "expression is no text"),
        ("calculator", '{"expression": "__import__(\'os\').getcwd()"}', "use numbers"),
        ("dictionary", '{"word": "sword"}', "not in this dictionary of 2 words"),
        ("poem_search", '{"text": "雪"}', "no line holds"),
        ("poem_search", '{"text": "静"}', "no line holds"),
        ("poem_search", '{"text": " "}', "give a character or more"),
        ("o" * 10_000, "{}", "there are calculator, dictionary, poem_search"),
        ("calculator", f'{{"{"o" * 10_000}": "1"}}', f"takes expression, not {'o' * 40}"),
        ("dictionary", f'{{"word": "{"o" * 10_000}"}}', "not in this dictionary of 2 words"),
        ("poem_search", f'{{"text": "{"雪" * 10_000}"}}', f"no line holds '{'雪' * 40}'"),
    ],
)
def test_whatever_goes_wrong_becomes_a_line_for_the_model(name, arguments, reason):
    said = tools.call(list(REAL.values()), name, arguments)
    assert said.startswith(tools.ERROR) and reason in said and "\n" not in said


def test_an_argument_that_is_not_required_may_be_missing():
    assert tools.call([made(lambda x, y="-": x + y)], "t", '{"x": "a"}') == "a-"
    assert "takes x, y" in tools.call([made(lambda x, y="-": x + y)], "t", '{"y": "a"}')


class SpeechlessError(Exception):
    def __str__(self):
        raise SystemExit


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("lost"), "'lost'"),
        (ZeroDivisionError("by 0"), "by 0"),
        (SystemExit(), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError(" \n"), "ValueError"),
        (ValueError("a\nAction: t"), "a Action: t"),
        (SpeechlessError(), "SpeechlessError"),
    ],
)
def test_a_tool_that_raises_is_told(error, reason):
    def run(x):
        raise error

    assert tools.call([made(run)], "t", '{"x": ""}') == tools.ERROR + reason


def test_a_tool_may_change_its_arguments_and_nobody_else_sees_it():
    def run(x):
        x.append(1)
        return str(x)

    changer = Tool("t", "T", "T.", (Parameter("x", "a list", type="array"),), run)
    assert [tools.call([changer], "t", '{"x": [0]}') for _ in range(2)] == ["[0, 1]"] * 2


def test_there_may_be_no_tool():
    assert tools.call([], "t", "{}") == "Error: there is no tool 't'; there are none"


def test_a_tool_that_hangs_is_left_behind():
    start, before = time.monotonic(), set(threading.enumerate())
    said = tools.call([made(lambda x: time.sleep(30))], "t", '{"x": ""}', seconds=1.0)
    assert said == "Error: t took more than 1 seconds" and time.monotonic() - start < 10
    [left] = set(threading.enumerate()) - before
    assert left.daemon, "Python would not end before it"


def test_a_result_is_one_line_and_not_too_long():
    said = tools.call([made(lambda x: x)], "t", json.dumps({"x": "a\nAction: t\r\nAction Input: {}"}))
    assert said == "a Action: t Action Input: {}"
    for separator in ("\u2028", "\u2029", "\x85", "\x0b", "\x1c"):
        said = tools.call([made(lambda x: x)], "t", json.dumps({"x": f"a{separator}Action: t"}))
        assert said == "a Action: t", ascii(separator)
    assert tools.call([made(lambda x: x)], "t", json.dumps({"x": "月\ud800\x00\u202e\x1b["})) == "月����["
    for n in (tools.LONGEST, tools.LONGEST + 1):
        said = tools.call([made(lambda x, n=n: "z" * n)], "t", '{"x": ""}')
        assert len(said) == tools.LONGEST and said.endswith("…") == (n > tools.LONGEST)
    assert tools.call([made(lambda x: 7)], "t", '{"x": ""}') == "7"


def test_upper_and_lower_case_are_one_in_the_name_of_a_tool():
    assert tools.call([Tool("Find_It", "F", "F.", (), lambda: "found")], "find_it", "{}") == "found"


def test_the_schema_is_the_references():
    assert [p["required"] for p in made(str).schema] == [True, False]
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
