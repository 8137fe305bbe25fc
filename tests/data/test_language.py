"""Which language. Oracle: sentences whose language their author knows, and the works of the corpus."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.data import corpus, language

SENTENCES = {
    "The ferry leaves the northern harbour at nine, and again at a quarter to five.": "en",
    "THE FERRY LEAVES THE NORTHERN HARBOUR AT NINE.\nTHE CLERK COUNTS THEM TWICE.": "en",
    "渡船每天上午九点从北边的港口出发，下午五点差一刻还有一班。": "zh",
    "學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？": "zh",
    "フェリーは毎朝九時に北の港を出て、四時四十五分にもう一度出ます。": "other",
    "연락선은 매일 아침 아홉 시에 북쪽 항구를 떠납니다.": "other",
    "Die Fähre verlässt den nördlichen Hafen um neun Uhr, dann noch einmal um Viertel vor fünf.": "other",
    "Le ferry quitte le port du nord à neuf heures, puis à cinq heures moins le quart.": "other",
    "De veerboot vertrekt om negen uur uit de noordelijke haven, en later nog een keer.": "other",
}


@pytest.fixture(scope="module")
def identify():
    return language.Identifier()


@pytest.mark.parametrize(("text", "expected"), SENTENCES.items())
def test_a_sentence_is_known_by_its_language(identify, text, expected):
    guess = identify(text)
    assert guess.language == expected and guess.confidence > language.MIN_CONFIDENCE


@pytest.mark.parametrize("text", ["", " \n\t", "1.000 + 2 = ?", "。。。……！", "☃ ✈ ✓"])
def test_what_has_no_word_has_no_language(identify, text):
    assert identify(text) == ("other", 0.0, "")


def test_a_doubtful_text_is_no_language_of_ours(identify):
    doubtful = "La chat the noir et cat sur the mat"
    guess = identify(doubtful)
    assert guess.language == "other"
    assert identify("ferry harbour", min_confidence=0.0).language == "en"


def test_the_works_of_the_corpus_are_english_and_chinese(identify):
    for name in corpus.LANGUAGES:
        texts = [document.text for document in corpus.load("held_out", name)]
        pages = ["\n".join(texts[i : i + 6]) for i in range(0, len(texts), 6)]
        assert sum(identify(page).language == name for page in pages) >= 0.98 * len(pages)


def test_no_network_is_asked(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network here")

    monkeypatch.setattr(socket, "socket", refuse)
    assert language.Identifier()("The ferry leaves at nine every day.").language == "en"


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=st.characters(), max_size=80))
def test_no_text_raises(identify, text):
    assert identify(text).language in ("en", "zh", "other")
    assert 0.0 <= identify(text).confidence <= 1.0


def test_half_a_surrogate_and_a_nul_are_read_over(identify):
    assert identify("The ferry \ud800 leaves \0 the harbour at nine").language == "en"
