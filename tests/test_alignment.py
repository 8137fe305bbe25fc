"""The runs of lesson 13: what they change, what they measure, and that the shipped model is one of them."""

import json

import pytest
import torch

import alignment
import pretrain
from minqwen import assets
from minqwen.align import preference
from minqwen.align.recipe import Settings
from minqwen.align.tasks import Example
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

SMALL = {
    **alignment.RECIPE,
    "titles": 3,
    "iterations": 2,
    "held_out": 5,
    "max_new_tokens": 26,
    "text": [2, 16],
    "measured": 2,
    "reference": 24,
    "value_only": 1,
    "minibatches": 2,
}


class FewWindows(pretrain.HeldOut):
    """One document of a language in place of all."""

    def __init__(self, tokenizer, language, length):
        ids = tokenizer.encode("明月松间照，清泉石上流。" * 40)
        self.windows = torch.tensor([ids[: length + 1]])
        self.bytes = [sum(pretrain.token_size(tokenizer, i) for i in ids[1 : length + 1])]


@pytest.fixture(scope="module")
def prepared():
    asked = [each.question for each in preference.read(assets.PREFERENCES / "train.jsonl")[:30]]
    examples = [Example("quatrain", question, "", alignment.title_of(question)) for question in asked]
    with pytest.MonkeyPatch.context() as patch:  # reading the whole corpus takes half a minute
        patch.setattr(pretrain, "HeldOut", FewWindows)
        patch.setattr(alignment.tasks, "examples", lambda *_: examples)
        found = alignment.prepare(SMALL)
    return found._replace(documents=lambda: [[5, 6, 7] * 20] * 9)


def test_every_variant_changes_one_setting_and_the_first_none():
    whole = Settings()
    first, *others = alignment.VARIANTS
    assert alignment.settings_of(first, alignment.RECIPE) == whole and whole.ptx == 0 and whole.beta == 0.04
    for name in others:
        changed = vars(alignment.settings_of(name, alignment.RECIPE)).items() - vars(whole).items()
        assert dict(changed) == alignment.CHANGES[name] and len(changed) == 1


def test_training_titles_are_not_those_of_the_measurement(prepared):
    test = {alignment.title_of(each.question) for each in prepared.test}
    assert len(test) == SMALL["held_out"] and not test & {e.given for e in prepared.train}


def test_batches_pass_over_all_examples_before_any_comes_again():
    asked = alignment.question_batches("abcdefg", 3, torch.Generator().manual_seed(0))
    first = [question for _ in range(2) for question in next(asked)]
    assert len(set(first)) == 6
    assert next(asked) != first[:3]


def test_a_title_may_hold_a_title():
    assert alignment.title_of("以《读《史》》为题写一首五言绝句。") == "读《史》"


def test_the_judge_is_scaled_by_answers_of_the_sft_model(prepared):
    questions = [e.question for e in prepared.train[: SMALL["reference"]]]
    rolled = prepared.draw(prepared.sft, questions, alignment.sampling_of(SMALL, 1), 1)
    scores = prepared.score(rolled.ids, rolled.is_token)[rolled.ended]
    assert abs(scores.mean()) < 1e-4 and abs(scores.std(correction=0) - 1) < 1e-4


def test_a_small_run_measures_before_and_after(prepared):
    first, last = alignment.measure("beta 0.04", SMALL, 0, prepared)
    assert (first["step"], last["step"]) == (0, 1) and first["kl"] == 0
    assert first["held_out"] == prepared.start
    assert first["ratio"] == 0 and last["ratio"] < 1e-3
    for found in (first["held_out"], last["held_out"]):
        assert 0 <= found["win"] + found["loss"] <= 1 and set(found["bits_per_byte"]) == {"en", "zh"}
        assert len(found["samples"]) == alignment.SAMPLES


def test_only_the_variant_with_text_reads_it(prepared):
    def unread():
        raise AssertionError("read")

    without = prepared._replace(documents=unread)
    alignment.measure("beta 0.2", SMALL, 0, without)
    with pytest.raises(AssertionError, match="read"):
        alignment.measure("pre-training text", SMALL, 0, without)
    assert alignment.measure("pre-training text", SMALL, 0, prepared)[-1]["step"] == 1


def test_the_same_seed_gives_the_same_run(prepared):
    runs = [alignment.measure("beta 0", SMALL, 3, prepared) for _ in range(2)]
    assert runs[0] == runs[1]


def test_the_shipped_model_is_the_first_variant_and_strayed():
    first, *records = [
        json.loads(line) for line in (assets.RUNS / "tiny-qwen-rlhf.jsonl").read_text("utf-8").splitlines()
    ]
    assert {key: first[key] for key in alignment.RECIPE} == json.loads(json.dumps(alignment.RECIPE))
    assert [record["step"] for record in records] == list(range(alignment.RECIPE["iterations"]))
    before, after = records[0]["held_out"], records[-1]["held_out"]
    assert after["gold"] > before["gold"] and after["reward"] > before["reward"] + 0.3
    sft, aligned = (Qwen.from_pretrained(folder) for folder in (assets.TINY_QWEN_SFT, assets.TINY_QWEN_RLHF))
    assert sft.config == aligned.config
    assert not sft.lm_head.weight.equal(aligned.lm_head.weight)
    assert Tokenizer.from_pretrained(assets.TINY_QWEN_RLHF).vocab_size == sft.config.vocab_size
