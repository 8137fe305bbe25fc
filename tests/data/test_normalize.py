"""Oracles: results written out by hand; the Unicode categories of what is left."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.data import normalize


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        pytest.param("To be, or NOT to be!", "to be or not to be", id="case and signs"),
        pytest.param("  a\t\r\n b\u3000c\xa0", "a b c", id="blanks of every kind"),
        pytest.param("ＡＢＣ１２３", "abc123", id="full width"),
        pytest.param("床前明月光，疑是地上霜。", "床前明月光 疑是地上霜", id="Chinese signs"),
        pytest.param("Straße", "strasse", id="folded, not only lower"),
        pytest.param("cafe\u0301 = caf\u00e9", "café café", id="composed"),
        pytest.param("ß\u0301", "s\u015b", id="letters that folding makes are composed too"),
        pytest.param("ﬁne ①", "fine 1", id="compatibility forms"),
        pytest.param("so\u00adft \ufeffzero\u200bwidth", "soft zerowidth", id="invisible characters"),
        pytest.param("हिन्दी की", "हिन्दी की", id="vowel signs belong to their letters"),
        pytest.param("a\0b\ud800c", "a b c", id="NUL and half a surrogate pair"),
        pytest.param("résumé ≠ resume", "résumé resume", id="accents stay"),
        pytest.param("snake_case, it's", "snake case it s", id="underscore and apostrophe are signs"),
        pytest.param(" .,!？。\0\ufeff ", "", id="nothing left"),
        pytest.param("", "", id="nothing there"),
    ],
)
def test_texts_that_read_the_same_become_the_same(text, normal):
    assert normalize.normalize_text(text) == normal


# Halves of surrogate pairs too, but nothing that only the Unicode of the package regex knows.
anything = st.text(st.characters(codec=None, exclude_categories=["Cn"]))


@settings(deadline=None)
@given(anything)
def test_a_normal_form_is_its_own_normal_form(text):
    normal = normalize.normalize_text(text)
    assert normalize.normalize_text(normal) == normal


@settings(deadline=None)
@given(anything)
def test_only_letters_marks_digits_and_single_blanks_are_left(text):
    normal = normalize.normalize_text(text)
    assert all(unicodedata.category(c)[0] in "LMN" for c in normal if c != " ")
    assert normal == " ".join(normal.split(" ")).strip(" ") and "  " not in normal


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_is_the_long_way(text):
    assert f"{normalize.normalize_text(text)} 月".lstrip() == normalize.normalize_text(f"{text} 月")
