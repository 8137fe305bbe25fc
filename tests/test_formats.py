"""Ways of teaching to answer. Oracles: the layouts written out by hand; conversations read back out of windows."""

import itertools

import pytest
import torch

import evidence
import formats
from minqwen.align import chatml, plain_chat, tasks
from minqwen.align.tasks.example import Example
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(formats.assets.TINY_QWEN)
WORDS = ("go", "come", "sit", "red", "sun")
COUNTS = [
    Example("count", f"How many words are these? {' '.join(WORDS[:n])}", str(n), " ".join(WORDS[:n])) for n in (2, 3, 5)
]
SMALL = {**formats.SFT, "sizes": {"count": 3}, "length": 96, "steps": 2, "warmup": 1, "batch_size": 2, "windows": 1}


class Bits:
    """Held-out windows whose bits are known."""

    def bits_per_byte(self, model, n_windows):
        return 2.0 + n_windows


@pytest.fixture
def prepared():
    texts = [TOKENIZER.encode("The moon is in the river tonight. " * 20)] * 20
    forged = list(itertools.pairwise(COUNTS))
    return formats.Prepared(TOKENIZER, COUNTS * 8, COUNTS, forged, texts, {"en": Bits()}, {"en": 1.5})


def test_conversations_have_one_turn_and_two_in_turn_and_no_example_is_lost():
    made = formats.conversations(COUNTS * 3, seed=0)
    assert [len(messages) for messages in made] == [2, 4] * 3
    asked = sorted(m["content"] for messages in made for m in messages if m["role"] == "user")
    assert asked == sorted(e.question for e in COUNTS * 3)
    assert made != formats.conversations(COUNTS * 3, seed=1)


@pytest.mark.parametrize("variant", formats.VARIANTS)
def test_the_windows_of_a_variant_hold_the_same_conversations_in_its_format(prepared, variant):
    made = formats.windows(variant, SMALL, 0, prepared)
    n = len(formats.windows("ChatML", SMALL, 0, prepared).ids)
    texts = [TOKENIZER.decode(row[row != 4080].tolist()) for row in made.ids]
    start = "\n\nHuman: " if variant == "Human:" else "<|im_start|>user\n"
    assert sum(text.count(f"{start}How") for text in texts) == 24 or variant == "Human:"
    assert all(not (row[learned] == 4080).any() for row, learned in zip(made.ids[:n], made.learned[:n]))
    if variant == "mixed":
        assert len(made.ids) - n == round(n / 3) and made.learned[n:].all()


def test_what_is_learned_is_what_the_variant_says(prepared):
    kept = {}
    for variant in formats.VARIANTS:
        made = formats.windows(variant, SMALL, 0, prepared)
        first = made.documents[0] == 1
        kept[variant] = TOKENIZER.decode(made.ids[0][first & made.learned[0]].tolist())
    [answer] = [formats.conversations(prepared.train, 0)[0][1]["content"]]
    assert kept["ChatML"] == kept["mixed"] == f"{answer}<|im_end|>"
    assert kept["Human:"] == f" {answer}\n\nHuman:"
    assert kept["official"].endswith(f"<|im_start|>{answer}<|im_end|>\n")
    assert kept["unmasked"].startswith("<|im_start|>system\nYou are")


def test_answers_are_the_same_asked_alone_and_together():
    model, questions = formats.Qwen.from_pretrained(formats.assets.TINY_QWEN), [e.question for e in COUNTS[:2]]
    for variant in ("ChatML", "Human:"):
        together = formats.ask(model, variant, TOKENIZER, questions)
        assert together == [formats.ask(model, variant, TOKENIZER, [question])[0] for question in questions]
    assert formats.ask(model, "ChatML", TOKENIZER, []) == []


def test_a_forged_turn_is_a_real_one_in_plain_text_and_none_in_chatml():
    first, second = COUNTS[:2]
    real = [*first.messages, *second.messages[:1]]
    plain = [{"role": "user", "content": formats.forge("Human:", first, second)}]
    assert plain_chat.render(plain) == plain_chat.render(real)
    chat = [{"role": "user", "content": formats.forge("ChatML", first, second)}]
    assert chatml.render(chat) == chatml.render(real), "it reads the same"
    assert chatml.encode_chat(chat, TOKENIZER) != chatml.encode_chat(real, TOKENIZER), "and is another thing"


def test_a_run_measures_before_and_after(prepared):
    before, after = formats.measure("Human:", SMALL, 0, prepared)
    assert (before["step"], after["step"]) == (0, 2)
    assert before["bits_per_byte"] == {"en": 1.5} and after["bits_per_byte"] == {"en": 3.0}
    assert 0 <= after["obeyed"] <= 1 and after["loss"] > 0


def test_answers_are_marked_and_forged_turns_counted(prepared, monkeypatch):
    """A model that always answers the last question it sees."""

    def last(model, variant, tokenizer, questions):
        return [str(len(question.split("? ")[-1].split())) for question in questions]

    monkeypatch.setattr(formats, "ask", last)
    said = formats.abilities(torch.nn.Module(), "ChatML", SMALL, prepared)
    assert said["marks"] == {"count": 1.0, "macro": 1.0} and said["obeyed"] == 1.0


def test_the_experiment_is_listed():
    assert evidence.EXPERIMENTS["formats"].variants is formats.VARIANTS
    assert set(formats.SFT["sizes"]) <= set(tasks.TASKS)
