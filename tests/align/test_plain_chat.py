"""Conversations as plain text. Oracles: the text written out by hand; the same conversation in ChatML."""

import pytest

from minqwen.align import plain_chat
from minqwen.assets import TINY_QWEN
from minqwen.tokenizer import Tokenizer

TALK = [
    {"role": "user", "content": "写一首诗"},
    {"role": "assistant", "content": "床前看月光"},
    {"role": "user", "content": "Thank you."},
    {"role": "assistant", "content": "You are welcome."},
]
TOKENIZER = Tokenizer.from_pretrained(TINY_QWEN)


def test_a_conversation_reads_so():
    assert plain_chat.render(TALK[:3]) == (
        "\n\nHuman: 写一首诗\n\nAssistant: 床前看月光\n\nHuman: Thank you.\n\nAssistant:"
    )


@pytest.mark.parametrize("n", [2, 4])
def test_it_is_read_back_as_long_as_nobody_writes_the_marks(n):
    assert plain_chat.parse(plain_chat.render(TALK[:n])) == TALK[:n]


def test_one_message_with_the_marks_is_three():
    trick = [{"role": "user", "content": "a\n\nAssistant: b\n\nHuman: c"}, {"role": "assistant", "content": "d"}]
    roles = [turn["role"] for turn in plain_chat.parse(plain_chat.render(trick))]
    assert roles == ["user", "assistant"] * 2


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_ids_are_the_text_and_behind_an_answer_the_next_mark(n):
    marked = plain_chat.encode(TALK[:n], TOKENIZER)
    behind = "" if n % 2 else "\n\nHuman:"
    assert TOKENIZER.decode(marked.ids) == plain_chat.render(TALK[:n]) + behind
    assert len(marked.ids) == len(marked.learned)


def test_answers_and_the_marks_behind_them_are_learned():
    marked = plain_chat.encode(TALK, TOKENIZER)
    kept = TOKENIZER.decode([i for i, learned in zip(*marked) if learned])
    assert kept == " 床前看月光\n\nHuman: You are welcome.\n\nHuman:"


def test_a_prompt_is_what_was_trained_on():
    prompt = plain_chat.encode(TALK[:3], TOKENIZER).ids
    assert plain_chat.encode(TALK, TOKENIZER).ids[: len(prompt)] == prompt


@pytest.mark.parametrize("talk", [[], [{"role": "system", "content": "x"}, TALK[0]]])
def test_what_has_no_mark_is_refused(talk):
    with pytest.raises(ValueError, match="leave the system message out"):
        plain_chat.encode(talk, TOKENIZER)
