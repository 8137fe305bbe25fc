"""Answers to be judged and the shipped judge. Oracles: the gold rule, the log, hand-made pairs."""

import json
import random

import pytest
import torch

import judge
from minqwen import assets
from minqwen.align import gold, preference, reward, reward_training
from minqwen.align.preference import Comparison
from minqwen.data import prosody
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

TINY = {"train": 3, "held_out": 2, "pairs": 8, "batch_size": 4, "reference": 3}


@pytest.fixture(scope="module")
def shipped():
    return {split: preference.read(assets.PREFERENCES / f"{split}.jsonl") for split in ("train", "held_out")}


def test_every_shipped_score_is_that_of_the_gold_rule(shipped):
    table = prosody.load()
    for each in random.Random(0).sample(shipped["train"] + shipped["held_out"], 100):
        title = each.question.split("《")[1].split("》")[0]
        scores = [gold.score(title, answer, table.tone, table.rhyme).total for answer in each.answers]
        assert list(each.scores) == pytest.approx(scores, abs=1e-4)
        assert len(each.answers) == 4


def test_no_title_is_in_both_files(shipped):
    titles = [{each.question for each in shipped[split]} for split in shipped]
    assert not titles[0] & titles[1]
    assert [len(each) for each in titles] == [judge.RECIPE["train"], judge.RECIPE["held_out"]]


def test_the_shipped_judge_orders_unseen_pairs(shipped):
    log = [json.loads(line) for line in (assets.RUNS / "tiny-qwen-reward.jsonl").read_text("utf-8").splitlines()]
    model, tokenizer = (kind.from_pretrained(assets.TINY_QWEN_REWARD) for kind in (reward.RewardModel, Tokenizer))
    pairs = preference.comparisons(shipped["held_out"], judge.RECIPE["least"])[:120]
    found = judge.by_tercile(pairs, reward_training.margins(model, pairs, tokenizer))
    assert found["all"] > 0.75 and found["large"] > 0.85
    assert found["all"] == pytest.approx(log[-1]["after"]["all"], abs=0.1), "a part of the pairs of the log"
    assert {key: log[0][key] for key in judge.RECIPE} == judge.RECIPE
    assert abs(log[-1]["mean"]) < 0.5 and 0.5 < log[-1]["deviation"] < 1.5


def test_a_short_run_from_answers_to_judge(tmp_path):
    sft, base = (Qwen.from_pretrained(folder) for folder in (assets.TINY_QWEN_SFT, assets.TINY_QWEN))
    tokenizer, recipe = Tokenizer.from_pretrained(assets.TINY_QWEN_SFT), {**judge.RECIPE, **TINY}
    for split in ("train", "held_out"):
        made = judge.make(sft, base, tokenizer, split, recipe)
        assert [len(each.answers) for each in made] == [4] * recipe[split]
        preference.write(tmp_path / f"{split}.jsonl", made)
    judge.train(tmp_path / "judge", tmp_path / "log.jsonl", tmp_path, assets.TINY_QWEN_SFT, recipe)
    first, before, *steps, last = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert first["precision"] == "float32" and len(steps) == -(-first["pairs_read"] // 4)
    assert set(before["before"]) == set(last["after"]) == {"all", "small", "middle", "large"}
    known = preference.read(tmp_path / "train.jsonl")[:3]
    texts = [(each.question, each.answers[0]) for each in known]
    scores = reward_training.scores(reward.RewardModel.from_pretrained(tmp_path / "judge"), texts, tokenizer)
    assert abs(scores.mean()) < 0.05 and abs(scores.std(correction=0) - 1) < 0.05


def test_a_page_is_cut_to_a_quatrain():
    assert judge.as_quatrain("王维\n一二三四五，六七八九十。\n天地玄黄宇，宙洪荒日月。\n盈昃") == (
        "一二三四五，六七八九十。\n天地玄黄宇，宙洪荒日月。"
    )
    assert judge.as_quatrain("王维") == ""


def test_accuracy_by_thirds_of_the_gap():
    pairs = [Comparison("q", "a", "b", gap) for gap in (3.0, 1.0, 2.0, 6.0, 5.0, 4.0)]
    right = torch.tensor([1.0, -1.0, 0.0, 1.0, 1.0, -1.0])
    assert judge.by_tercile(pairs, right) == {"all": 3.5 / 6, "small": 0.25, "middle": 0.5, "large": 1.0}
