"""Tokens as boxes. Oracles: the tokenizer, and widths added up by hand."""

import pytest

from minqwen import show
from minqwen.show import token_view


def test_the_pieces_are_the_tokens_with_their_ids_and_bytes(tokenizer):
    found = token_view.pieces(tokenizer, "x a\n月é")
    assert [piece.label for piece in found] == ["x", "␣a", "⏎", "月", r"\xc3", r"\xa9"]
    assert [piece.id for piece in found] == tokenizer.encode("x a\n月é")
    assert [piece.hexadecimal for piece in found] == ["", "", "", "e6 9c 88", "c3", "a9"]


def test_boxes_fill_lines_and_none_is_lost():
    assert token_view.lines([3.0, 4.0, 3.0, 9.0, 1.0], width=10.0) == [[0, 1, 2], [3, 4]]
    assert token_view.lines([11.0, 1.0], width=10.0) == [[0], [1]]
    assert token_view.lines([]) == [[]]


def test_the_picture_says_in_words_what_it_shows(tokenizer):
    w = show.token_explorer(tokenizer, "x a月")
    assert w.picture.alt == "3 tokens: x | ␣a | 月"
    assert w.picture.data.startswith(b"\x89PNG")
    assert [control.description for control in w.controls.values()] == ["text", "read control tokens"]


def test_typing_and_the_box_for_control_tokens_draw_anew(tokenizer):
    w = show.token_explorer(tokenizer, "x")
    before = w.picture.data
    w.text.value = "<|im_end|>"
    assert len(w.result) == 10 and w.picture.data != before
    w.read_control_tokens.value = True
    assert [piece.id for piece in w.result] == [tokenizer.control_ids["<|im_end|>"]]
    assert [piece.label for piece in w.result] == ["<|im_end|>"]


@pytest.mark.parametrize("text", ["", "\n", "a" * 30, "$x$ 𠀀 \x00"])
def test_odd_texts_are_drawn(tokenizer, text):
    assert len(show.tokens_plot(tokenizer, text)) == len(tokenizer.encode(text))


def test_a_text_that_is_too_long_is_told_and_the_picture_stays(tokenizer):
    w = show.token_explorer(tokenizer, "x")
    w.text.value = "x" * 121
    assert "this text has 121 tokens, and 120 can be shown; type a shorter one" in w.message.value
    assert len(w.result) == 1


def test_languages_stand_in_the_order_of_ours_on_both_sides():
    left, right = show.compression_plot({"th": 1.9, "en": 1.0, "zh": 0.7}, {"en": 0.93, "th": 2.03, "zh": 0.96})
    assert [label.get_text() for label in left.get_yticklabels()] == ["zh", "en", "th"]
    assert [bar.get_width() for bar in left.patches] == pytest.approx([0.7, 1.0, 1.9])
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0.96, 0.93, 2.03])
    assert [ax.get_title(loc="left") for ax in (left, right)] == [
        "Here: zh least, th most",
        "Report: en least, th most",
    ]
    assert "from zh, the cheapest here, to th, the dearest" in left.figure.alt
