"""Words before merging. Oracles: the pattern as Qwen publishes it, and the promise that nothing is lost."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minqwen.tokenizer import pretokenize


def test_the_pattern_is_the_published_one():
    assert pretokenize.PATTERN == (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("It's 1616.", ["It", "'s", " ", "1", "6", "1", "6", "."], id="digits stand alone"),
        pytest.param("床前，明月", ["床前", "，明月"], id="a sign joins the letters after it"),
        pytest.param("end.\n\nACT", ["end", ".\n\n", "ACT"], id="line ends stay with the sign before them"),
        pytest.param("a   b", ["a", "  ", " b"], id="the last blank goes to the word"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_words_are_cut_where_qwen_cuts_them(text, words):
    assert pretokenize.split_words(text) == words


@given(st.text())
def test_the_words_joined_are_the_text(text):
    assert "".join(pretokenize.split_words(text)) == text


def test_normalize_composes_characters():
    assert pretokenize.normalize("e\u0301") == "é" == unicodedata.normalize("NFC", "é")
    assert pretokenize.normalize("ﬁ①Ａ") == "ﬁ①Ａ", "what is only like another character stays"


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ValueError, match="read the file again as UTF-8 with errors='replace'"):
        pretokenize.utf8("\ud83d")


@pytest.mark.parametrize(
    ("text", "repaired"),
    [("\ud83d\ude00", "😀"), ("a\ud83d b", "a\ufffd b"), ("\ude00\ud83d", "\ufffd\ufffd"), ("é春", "é春")],
    ids=["both halves", "one half", "the wrong way round", "no half"],
)
def test_repair_joins_halves_and_shows_where_one_was_lost(text, repaired):
    assert pretokenize.repair(text) == repaired


@given(st.text(st.characters(exclude_categories=())))
def test_repair_reads_surrogates_as_utf_16_does_and_leaves_all_else(text):
    repaired = pretokenize.repair(text)
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        assert repaired == text
    units = text.encode("utf-16-le", "surrogatepass")
    assert repaired == units.decode("utf-16-le", errors="replace")
