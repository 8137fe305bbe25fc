"""The tool that teaches tools: its log beside the shipped model, its parts by hand, a short run from end to end."""

import json

import pytest
import torch

import tool_use
from minqwen import assets
from minqwen.adapt import difference
from minqwen.model import Qwen
from minqwen.prompt import practice
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
SHORT = {**tool_use.RECIPE, "traces": 12, "chats": 1, "warmup": 1, "batch_size": 2, "drill_steps": 2, "steps": 2}


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
    tool_use.run(tmp_path / "model.xz", tmp_path / "log.jsonl", TOKENIZER, SHORT)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert log[1]["drill"] == 0 and 0 <= log[1]["copied"] < 0.5, "who has not practised does not copy"
    assert log[3]["step"] == 0 and [r["scores"]["asked"] for r in log[4:]] == [len(practice.KINDS)] * 3
    difference.add_difference(Qwen.from_pretrained(assets.TINY_QWEN_SFT), tmp_path / "model.xz")


def test_drills_fill_windows_and_half_of_them_are_lists():
    made = tool_use.drills(["moon", "king", "sea", "age", "ring", "star", "owner"], 20, TOKENIZER, 120, seed=0)
    assert made.ids.shape == (20, 120)
    assert (made.documents > 0).double().mean() > 0.6, "texts are packed"
    assert made.learned[made.documents == 0].sum() == 0
    again = tool_use.drills(["moon", "king", "sea", "age", "ring", "star", "owner"], 20, TOKENIZER, 120, seed=0)
    assert all(a.equal(b) for a, b in zip(made, again))


def test_copied_counts_learned_tokens_only():
    made = tool_use.drills(["moon", "king", "sea", "age", "ring", "star", "owner"], 4, TOKENIZER, 120, seed=0)

    def says(which):
        return lambda ids, documents: torch.zeros(*ids.shape, 4096).scatter(-1, which[..., None], 1.0)

    following = made.ids[:, 1:]
    assert tool_use.copied(says(following), made) == 1
    assert tool_use.copied(says(torch.where(made.targets, following, 0)), made) == 1
    assert tool_use.copied(says(torch.where(made.targets, 0, following)), made) == 0
