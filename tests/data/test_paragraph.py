"""The paragraph in many languages. Oracles: Unicode's names, and the detail that all translations share."""

import unicodedata

import pytest

from minqwen.data import paragraph
from minqwen.tokenizer import pretokenize

SCRIPTS = {"zh": "CJK", "ja": "HIRAGANA", "ko": "HANGUL", "ru": "CYRILLIC", "ar": "ARABIC", "th": "THAI"}


@pytest.mark.parametrize("code", paragraph.PARAGRAPH)
def test_each_is_in_its_script_and_in_nfc(code):
    text = paragraph.PARAGRAPH[code]
    letters = [unicodedata.name(c).split()[0] for c in text if c.isalpha()]
    assert max(set(letters), key=letters.count) == SCRIPTS.get(code, "LATIN")
    assert text == pretokenize.normalize(text) and not any(c.isdigit() for c in text)


def test_every_language_has_the_figure_of_the_report():
    assert all(figure.keys() == paragraph.PARAGRAPH.keys() for figure in paragraph.FIGURE_3.values())
    assert all(paragraph.FIGURE_3["Qwen"][code] < paragraph.FIGURE_3["LLaMA-7B"][code] for code in paragraph.PARAGRAPH)
