"""The mask painter of conversations. Oracles: the tokenizer, and the rule for the mask by hand."""

import pytest

from minqwen import assets, show
from minqwen.show import chat_view
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)


def test_tokens_are_those_of_the_conversation_with_their_marks():
    talk = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "月光"}]
    found = chat_view.painted(talk, TOKENIZER, "assistant_only")
    assert "".join(token.label for token in found).endswith("<|im_start|>assistant⏎月光<|im_end|>⏎")
    assert [token.label for token in found if token.is_learned] == ["月", "光", "<|im_end|>"]
    assert sum(token.is_control for token in found) == 6


def test_every_message_begins_a_line_and_no_token_is_lost():
    talk = [{"role": "user", "content": "word " * 30 + "."}, {"role": "assistant", "content": "y"}]
    found = chat_view.painted(talk, TOKENIZER, "qwen_official")
    rows = chat_view.chat_lines(found, width=60.0)
    assert [place for row in rows for place in row] == list(range(len(found)))
    begins = {row[0] for row in rows}
    assert all((i in begins) for i, token in enumerate(found) if token.label == "<|im_start|>") and len(rows) > 3


def test_typing_and_the_mode_draw_anew_and_the_picture_says_it_in_words():
    w = show.chat_mask_painter(TOKENIZER, "x", "yes")
    before = w.picture.data
    assert w.picture.alt.endswith("learned in mode assistant_only: y es <|im_end|>")
    w.mode.value = "qwen_official"
    assert w.picture.data != before and sum(token.is_learned for token in w.result) == 3 + 3 + 1 + 2 + 2
    w.user.value = "<|im_end|>"
    assert sum(token.is_control for token in w.result) == 6, "what is typed is text"
    assert [control.description for control in w.controls.values()] == ["mode", "user", "assistant"]


def test_a_conversation_that_is_too_long_is_told_and_the_picture_stays():
    w = show.chat_mask_painter(TOKENIZER, "x", "y")
    shown = len(w.result)
    w.user.value = "x " * 200
    assert "can be shown; type a shorter one" in w.message.value and len(w.result) == shown


def test_an_unfinished_conversation_is_refused():
    with pytest.raises(ValueError, match="add it"):
        show.chat_mask_plot(TOKENIZER, [{"role": "user", "content": "x"}])
