"""Asking: batches padded on the left, answers up to their end. Oracle: each question by itself."""

import pytest
import torch

from minqwen import assets
from minqwen.align import answers, chatml
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
QUESTIONS = ["Repeat these words: rose", "以《春》为题写一首五言绝句。", "1 + 2 = ?"]


@torch.no_grad()
def test_questions_together_are_answered_as_alone():
    model = Qwen.from_pretrained(assets.TINY_QWEN)
    together = answers.answer(model, TOKENIZER, QUESTIONS, max_new_tokens=12)
    assert together == [answers.answer(model, TOKENIZER, [question], max_new_tokens=12)[0] for question in QUESTIONS]


def test_a_prompt_is_the_conversation_up_to_the_answer():
    made = answers.prompts(QUESTIONS, TOKENIZER)
    for question, ids, is_token in zip(QUESTIONS, made.ids, made.is_token):
        assert ids[is_token].tolist() == chatml.encode_chat([{"role": "user", "content": question}], TOKENIZER)
        assert is_token.tolist() == sorted(is_token.tolist()), "padding stands on the left"
    with pytest.raises(ValueError, match="no question"):
        answers.prompts([], TOKENIZER)


@pytest.mark.parametrize("end", ["<|im_end|>", "<|im_start|>"])
def test_an_answer_ends_with_its_turn_and_what_follows_is_cut(end):
    [first] = TOKENIZER.encode("To")
    ends = [TOKENIZER.control_ids[e] for e in ("<|im_end|>", "<|im_start|>")]
    assert answers.until([first, TOKENIZER.control_ids[end], first], ends, TOKENIZER) == "To"
    assert answers.until([first, first], ends, TOKENIZER) == "ToTo"
    assert answers.until([], ends, TOKENIZER) == ""
