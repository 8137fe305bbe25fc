"""The fine-tuning tool: its log beside the shipped model, its parts by hand, and a short run from end to end."""

import json
from collections import Counter

import pytest
import torch

import instruct
from minqwen import assets
from minqwen.align import tasks
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
SHORT = {
    **instruct.RECIPE,
    "sizes": dict.fromkeys(tasks.TASKS, 4),
    "warmup": 1,
    "batch_size": 2,
    "stages": [{"steps": 2, "peak": 1e-3, "times": {}}, {"steps": 2, "peak": 1e-3, "times": {"add": 8}}],
}


@pytest.fixture(scope="module")
def log():
    return [json.loads(line) for line in (assets.RUNS / "sft.jsonl").read_text("utf-8").splitlines()]


def test_the_log_is_of_the_recipe_of_the_tool(log):
    assert {key: log[0][key] for key in instruct.RECIPE} == instruct.RECIPE
    last = [record for record in log if "step" in record][-1]
    assert last["stage"] == len(instruct.RECIPE["stages"]) - 1
    assert last["step"] == instruct.RECIPE["stages"][-1]["steps"]


def test_the_shipped_model_answers_as_its_log_says(log):
    few = tasks.examples("held_out", instruct.MANY)[:160]
    found = instruct.marks(Qwen.from_pretrained(assets.TINY_QWEN_SFT), TOKENIZER, few)
    assert found["macro"] == pytest.approx(log[-1]["after"]["marks"]["macro"], abs=0.15)  # a fifth of the questions
    assert found["macro"] > 0.5 > 0.05 > log[-2]["before"]["marks"]["macro"]


def test_examples_are_as_many_as_the_recipe_says():
    once = Counter(e.task for e in instruct.training_examples(SHORT["sizes"], seed=0))
    assert once == dict.fromkeys(tasks.TASKS, 4)
    often = instruct.training_examples(SHORT["sizes"], 0, {"add": 8})
    assert Counter(e.task for e in often) == {**once, "add": 32}
    assert len({e for e in often if e.task == "add"}) == 4


def test_a_share_of_the_windows_is_plain_text():
    mixed = instruct.windows({**SHORT, "plain_share": 0.5}, {}, TOKENIZER, 256)
    plain = mixed.learned.all(dim=-1)
    assert plain.sum() == len(mixed.ids) / 2
    assert not instruct.windows({**SHORT, "plain_share": 0}, {}, TOKENIZER, 256).learned.all(dim=-1).any()


def test_marks_count_right_answers_by_task(monkeypatch):
    test = tasks.examples("held_out", 4)
    right = {e.question: e.answer for e in test if e.task != "add"}
    monkeypatch.setattr(instruct.answers, "answer", lambda m, t, questions: [right.get(q, "?") for q in questions])
    found = instruct.marks(torch.nn.Identity(), TOKENIZER, test)
    assert found == {**dict.fromkeys(tasks.TASKS, 1.0), "add": 0.0, "macro": 7 / 8}


def test_recited_lines_are_those_of_training_answers(monkeypatch):
    train = [e for e in tasks.examples("train", 3) if e.task in tasks.VERSE]
    verse = {task: [e.answer for e in train if e.task == task] for task in tasks.VERSE}
    said = {"quatrain": [verse["quatrain"][0], "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。"], "line": ["New."]}
    monkeypatch.setattr(
        instruct.answers, "answer", lambda m, t, questions: said["quatrain" if "《" in questions[0] else "line"]
    )
    found = instruct.recited(torch.nn.Identity(), TOKENIZER, train, tasks.examples("held_out", 2))
    assert found == {"quatrain": 0.5, "line": 0.0}


def test_a_short_run_leaves_a_model_and_a_log_and_comes_out_the_same_again(tmp_path, monkeypatch):
    monkeypatch.setattr(instruct, "MANY", 1)
    monkeypatch.setattr(instruct, "EVALUATE_EVERY", 2)
    monkeypatch.setattr(
        instruct.pretrain, "HeldOut", lambda *a: type("H", (), {"windows": [], "bits_per_byte": lambda *a: 2.0})()
    )
    for name in ("one", "two"):
        instruct.run(tmp_path / name, tmp_path / f"{name}.jsonl", TOKENIZER, SHORT)
    one, two = (Qwen.from_pretrained(tmp_path / name) for name in ("one", "two"))
    assert all(a.equal(b) for a, b in zip(one.parameters(), two.parameters()))
    log = [json.loads(line) for line in (tmp_path / "one.jsonl").read_text("utf-8").splitlines()]
    assert [(r["stage"], r["step"]) for r in log if "marks" in r] == [(0, 2), (1, 2)]
    assert set(log[-1]["after"]) == {"marks", "bits_per_byte", "recited"}
    assert Tokenizer.from_pretrained(tmp_path / "one").ranks == TOKENIZER.ranks
