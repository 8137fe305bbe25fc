"""The inspector without a browser. Oracles: `attention_maps` of the same sentence, and the tokenizer's own bytes."""

import pytest
import torch
from torch.testing import assert_close

from minqwen import show
from minqwen.show import attention_view, heads

TEXT = "a aa月\n床"  # the last character is no token of the vocabulary


@pytest.fixture
def w(model, tokenizer):
    return show.inspector(model, tokenizer, TEXT)


def test_labels_show_blanks_line_ends_and_single_bytes(model, tokenizer):
    labels = attention_view.token_labels(tokenizer, tokenizer.encode(TEXT))
    assert labels == ["a", "␣a", "a", "月", "⏎", r"\xe5", r"\xba", r"\x8a"]


def test_the_inspector_exposes_what_it_shows(w, model, tokenizer):
    maps = heads.attention_maps(model, torch.tensor(tokenizer.encode(TEXT)))
    assert (w.layer.value, w.head.value, w.query.value) == (0, 0, 7)
    w.layer.value, w.head.value, w.query.value = 2, 3, 5
    assert_close(w.weights, maps[2, 3, 5])
    assert len(w.tokens) == len(w.weights) == 8


def test_the_picture_is_the_map_and_the_row(w):
    w.head.value, w.query.value = 4, 3
    left, right = w.result
    assert torch.equal(torch.tensor(left.get_images()[0].get_array().data), w.maps[0, 4])
    assert [bar.get_width() for bar in right.patches] == w.weights.tolist()
    [frame] = left.patches
    assert frame.get_xy() == (-0.5, 2.5)
    assert [label.get_text() for label in left.get_xticklabels()] == w.tokens


def test_another_sentence_is_read_and_its_last_token_chosen(w):
    before = w.picture.data
    w.sentence.value = "aaa a"
    assert w.tokens == ["a", "a", "a", "␣a"] and w.query.value == 3 and len(w.query.options) == 4
    assert w.picture.data != before and w.message.value == ""


@pytest.mark.parametrize(("text", "way_out"), [("", "type a few words"), ("a" * 33, "type a shorter one")])
def test_bad_text_gets_a_sentence_and_loses_nothing(w, text, way_out):
    before, tokens = w.picture.data, w.tokens
    w.sentence.value = text
    assert way_out in w.message.value
    assert w.picture.data == before and w.tokens == tokens
    w.sentence.value = "a a"
    assert w.message.value == "" and w.tokens == ["a", "␣a"]


def test_bad_text_at_the_start_is_an_error(model, tokenizer):
    with pytest.raises(ValueError, match="type a few words"):
        show.inspector(model, tokenizer, "a")


def test_questions_come_with_the_scores_of_the_chosen_head(w):
    w.layer.value, w.head.value = 1, 2
    scores = attention_view.head_scores(w._model, w.maps)
    for habit, question in attention_view.HABITS.items():
        assert question in w._questions.value
        assert f"{scores[habit][1, 2]:.2f}" in w._questions.value
        layer, head = divmod(int(scores[habit].argmax()), 5)
        assert f"{habit}: layer {layer}, head {head}" in w._questions.value


def test_every_control_is_described_and_waits_for_the_reader(w):
    assert [control.description for control in w.controls.values()] == ["sentence", "layer", "head", "token"]
    assert not any(w.controls[name].continuous_update for name in ("sentence", "layer", "head"))


def test_the_picture_describes_itself(w):
    assert w.picture.alt.startswith("Layer 0, head 0: previous token ")
    assert "Heat map of 8 tokens" in w.picture.alt
