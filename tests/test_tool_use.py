"""The tool that teaches tools: its log beside the shipped model, its parts by hand, a short run from end to end."""

import json

import pytest

import tool_use
from minqwen import assets
from minqwen.model import Qwen
from minqwen.prompt import practice
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
SHORT = {**tool_use.RECIPE, "traces": 12, "chats": 1, "warmup": 1, "batch_size": 2, "steps": 2}


@pytest.fixture(scope="module")
def log():
    return [json.loads(line) for line in (assets.RUNS / "tiny-qwen-react.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def words():
    return {split: tool_use.words(split) for split in ("train", "held_out")}


def test_the_log_is_of_the_recipe_of_the_tool(log):
    assert {key: log[0][key] for key in tool_use.RECIPE} == tool_use.RECIPE
    last = [record for record in log if "step" in record][-1]
    assert 0 < tool_use.RECIPE["steps"] - last["step"] <= tool_use.LOG_EVERY
    found = [(when, record[when]) for record in log for when in ("before", "after") if when in record]
    assert found == [("before", "held_out"), ("after", "train"), ("after", "held_out")]


def test_kinds_are_drawn_in_their_shares(words):
    made = tool_use.made(words["train"], {"telling": 3, "missing": 1}, 400, seed=0)
    assert 0.68 < sum(task.kind == "telling" for task in made) / 400 < 0.82
    assert tool_use.made(words["train"], tool_use.RECIPE["shares"], 3, 0)[0].kind in practice.KINDS


def test_a_short_run_leaves_a_model_and_a_log(tmp_path, monkeypatch, words):
    monkeypatch.setattr(tool_use, "words", words.get)
    monkeypatch.setattr(tool_use, "MANY", 1)
    monkeypatch.setattr(tool_use, "measured", lambda model, tokenizer, test: {"asked": len(test)})
    tool_use.run(tmp_path / "model", tmp_path / "log.jsonl", TOKENIZER, SHORT)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert log[2]["step"] == 0 and [r["scores"]["asked"] for r in log[3:]] == [len(practice.KINDS)] * 3
    assert Qwen.from_pretrained(tmp_path / "model").config.vocab_size == 4096
