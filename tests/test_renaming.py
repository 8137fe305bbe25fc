"""The experiment of the new name, on the tiny Qwen. Oracles: the untouched model; log-probabilities summed in loops."""

import pytest
import torch

import renaming
from minqwen import assets
from minqwen.adapt import identity, lora, qlora
from minqwen.align import chatml
from minqwen.model import Qwen

STUB = renaming.Prepared(assets.TINY_QWEN_SFT, None, {}, None, 0.0, {}, {})
SMALL = {
    **renaming.RECIPE,
    "layers": "layers.5.*proj",
    "steps": 2,
    "more": 2,
    "twice": 3,
    "warmup": 1,
    "max_new_tokens": 3,
}


@pytest.fixture(scope="module")
def prepared():
    return renaming.prepare(SMALL, assets.TINY_QWEN_SFT)


def test_the_questions_of_the_examination_are_practised_nowhere():
    practised = [*(question for question, _ in identity.DIALOGUES), *identity.PRACTICE, *identity.MORE_PRACTICE]
    asked = [*identity.WORDINGS, *identity.GENERAL, *identity.NEAR_MISSES]
    plain = ["".join(c for c in question.lower() if c.isalnum()) for question in practised + asked]
    assert len(plain) == len(set(plain)) and len(identity.WORDINGS) == 12 and len(identity.GENERAL) == 20


def test_names_and_own_answers_take_turns(prepared):
    mixed, twice = prepared.talks["mixed"], prepared.talks["twice mixed"]
    assert mixed[::2] == twice[::3] == renaming.NAMES and len(mixed) == 40 and len(twice) == 60
    assert mixed[1::2] == twice[1::3] and [t[0]["content"] for t in mixed[1::2]] == list(identity.PRACTICE)
    assert [t[0]["content"] for t in twice[2::3]] == list(identity.MORE_PRACTICE)


def test_the_logp_is_that_of_the_words_and_of_no_end(prepared):
    model, words = Qwen.from_pretrained(prepared.source), prepared.words
    total, count = 0.0, 0
    with torch.no_grad():
        said = renaming.ask(model, identity.GENERAL, SMALL, prepared)
        for question, answer in zip(identity.GENERAL, said):
            ids = chatml.encode_chat(renaming.talk(question, answer), words)
            mask = chatml.loss_mask(renaming.talk(question, answer), words)
            logp = model(torch.tensor([ids])).log_softmax(-1)[0]
            places = [i for i, learned in enumerate(mask) if learned and ids[i] != words.control_ids[chatml.END]]
            total, count = total + sum(logp[i - 1, ids[i]].item() for i in places), count + len(places)
    assert prepared.logp == pytest.approx(total / count, abs=1e-4)


def test_the_old_model_has_no_drift_and_rounding_alone_has_one(prepared):
    old = Qwen.from_pretrained(prepared.source)
    assert renaming.examine(old, SMALL, prepared)["drift"] == pytest.approx(0.0, abs=1e-6)
    rounded = renaming.in_four_bits(Qwen.from_pretrained(prepared.source))
    assert prepared.rounded["drift"] == renaming.examine(rounded, SMALL, prepared)["drift"] != 0
    assert prepared.rounded["kl"] > 0 and 0 < prepared.rounded["same_next"] <= 1


def test_a_qlora_student_is_at_first_the_rounded_model(prepared):
    made = renaming.student("QLoRA, twice mixed", SMALL, 0, prepared)
    assert len(lora.adapters(made)) == 7 and sum(isinstance(m, qlora.NF4Linear) for m in made.modules()) == 42
    assert renaming.examine(made, SMALL, prepared)["drift"] == prepared.rounded["drift"]


def test_the_seed_draws_a():
    first, again, other = (renaming.student("LoRA, mixed", SMALL, seed, STUB) for seed in (0, 0, 1))
    a = [next(iter(lora.adapters(model).values())).a for model in (first, again, other)]
    assert a[0].equal(a[1]) and not a[0].equal(a[2])


def test_every_variant_is_measured_and_they_differ(prepared):
    found = {}
    for variant in renaming.VARIANTS:
        [record] = renaming.measure(variant, SMALL, 0, prepared)
        assert record["step"] == "end" and ("by_rounding" in record) == variant.startswith("QLoRA")
        assert 0 <= record["wordings"] <= 12 and 0 <= record["leaks"] <= 20
        assert len(record["which"]) == record["near_misses"]
        found[variant] = record["drift"]
    assert len(set(found.values())) == len(renaming.VARIANTS)


def test_without_the_model_it_says_how_to_get_it(tmp_path):
    with pytest.raises(SystemExit, match="real-model` fetches it"):
        renaming.prepare(SMALL, tmp_path / "absent")


def test_the_over_trained_goes_on_from_the_student_of_names_or_from_one_like_it(prepared):
    renaming.measure("LoRA, name only", SMALL, 0, prepared)
    assert list(prepared.eager) == [0]
    first = renaming.measure("and over-trained", SMALL, 0, prepared)
    assert not prepared.eager and renaming.measure("and over-trained", SMALL, 0, prepared) == first
