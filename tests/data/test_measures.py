"""What the rules count. Oracle: numbers counted by hand, on texts short enough to do so."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minqwen.data import measures


def test_words_are_counted_as_a_reader_of_each_language_would():
    assert measures.words("To be -- or # not to be?", "en") == ["To", "be", "or", "not", "to", "be?"]
    assert measures.words("春眠不觉晓，处处闻啼鸟。", "zh") == list("春眠不觉晓处处闻啼鸟")
    assert measures.words("我有 3 台 iPhone！", "zh") == ["我", "有", "3", "台", "iPhone！"]
    assert measures.parts("春眠，晓。", "zh") == ["春", "眠", "，", "晓", "。"]


def test_the_split_that_makes_a_line_of_chinese_one_word_is_not_used():
    couplet = "春眠不觉晓，处处闻啼鸟。"
    assert len(couplet.split()) == 1 and len(measures.words(couplet, "zh")) == 10


@pytest.mark.parametrize("signs", ["!", "…", "。", ".…", "!)", "。…."])
def test_a_row_of_signs_is_read_once(signs):
    """It was read again from each of them on: three hours for a megabyte."""
    began = time.process_time()
    assert measures.sentence_count(f"One. {signs * 100_000}a") <= 100_001
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Who? I!", 2),
        ("“No...” “Yes.”", 2),
        ("3.14 and a.b", 0),
        ("What?!... So.", 2),
        ("好。好！！好…", 3),
        ("他走了….", 1),
    ],
)
def test_a_sentence_ends_once(text, sentences):
    assert measures.sentence_count(text) == sentences


def test_blank_lines_are_no_lines():
    assert measures.lines("a\n\n  \n b \n") == ["a", "b"]


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param(measures.mean_length(["to", "be", "seen"]), 8 / 3, id="mean length"),
        pytest.param(measures.longest(["to", "seen", "be"]), 4, id="longest"),
        pytest.param(measures.symbols_per_word("# a # b... c…", ["a", "b", "c"]), 2 / 3, id="two #, two ellipses"),
        pytest.param(measures.symbols_per_word("##", []), 2, id="signs without a word"),
        pytest.param(measures.alphabetic_share(["a1", "12", "--", "b"]), 2 / 4, id="with a letter"),
        pytest.param(measures.distinct(["Of", "the,", "the", "cat"], {"the", "of", "be"}), 2, id="different ones"),
        pytest.param(measures.starting_share(["- a", "b", "• c", "d"], measures.BULLETS), 0.5, id="bullets"),
        pytest.param(measures.starting_share(["– a", "* b", "— c", "1. d"], measures.BULLETS), 0.5, id="no dashes"),
        pytest.param(measures.ending_share(["a...", "b…", "c.", "d"], measures.ELLIPSES), 0.5, id="ellipses"),
        pytest.param(measures.ending_share(["a.", "b", '"c"', "d；", "e"], measures.ENDS), 0.6, id="ends"),
        pytest.param(measures.short_share(["abc", "abcd", "ab"], 3), 2 / 3, id="short lines"),
        pytest.param(measures.duplicate_share(["a", "b", "a", "a"]), 2 / 4, id="of three equal lines two"),
        pytest.param(measures.duplicate_character_share(["aaaa", "b", "b", "cc"]), 1 / 8, id="characters of them"),
        pytest.param(measures.top_ngram_share(["ab", "c", "ab", "c", "d"], 2), 6 / 7, id="ab c twice: 6 of 7"),
        pytest.param(measures.top_ngram_share(["ab", "c", "d"], 2), 0, id="each once"),
        pytest.param(measures.top_ngram_share(["a", "b", "a", "b", "longest", "of", "all"], 2), 4 / 16, id="a b twice"),
        pytest.param(measures.duplicate_ngram_share(["a", "b", "c", "a", "b"], 2), 2 / 5, id="the second a b"),
        pytest.param(measures.duplicate_ngram_share(["a"] * 4, 2), 3 / 4, id="overlaps count once"),
        pytest.param(measures.sentence_count("One. Two! “Three?” Four... 3.14 五。六！七"), 6, id="sentences"),
    ],
)
def test_a_measure_is_what_a_reader_counts(measured, expected):
    assert measured == pytest.approx(expected)


@pytest.mark.parametrize("empty", [[], [""]], ids=["nothing", "one empty word"])
def test_nothing_has_no_share_of_anything(empty):
    assert measures.mean_length(empty) == measures.longest(empty) == measures.alphabetic_share(empty) == 0
    assert measures.duplicate_share(empty) == measures.duplicate_character_share(empty) == 0
    assert measures.starting_share(empty, ("-",)) == measures.ending_share(empty, ("-",)) == 0
    assert measures.top_ngram_share(empty, 2) == measures.duplicate_ngram_share(empty, 5) == 0


SOME = st.lists(st.text("ab。", max_size=3), max_size=30)


@given(SOME, st.integers(1, 12))
def test_shares_lie_between_nothing_and_all(words, n):
    assert 0 <= measures.duplicate_ngram_share(words, n) <= 1
    assert 0 <= measures.duplicate_character_share(words) <= 1
    assert 0 <= measures.duplicate_share(words) < 1


@given(SOME, st.integers(1, 5))
def test_repeats_are_those_that_a_slow_search_finds(words, n):
    runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    again = {i + k for i, run in enumerate(runs) for k in range(n) if run in runs[:i]}
    total = sum(map(len, words))
    expected = sum(len(words[i]) for i in again) / total if total else 0.0
    assert measures.duplicate_ngram_share(words, n) == pytest.approx(expected)
    most = max((runs.count(run) * len("".join(run)) for run in runs if runs.count(run) > 1), default=0)
    assert measures.top_ngram_share(words, n) == pytest.approx(most / total if total else 0.0)
