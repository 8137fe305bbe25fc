"""Bytes to characters. Oracle: the text that was encoded, by Python's codecs, before the page lied about it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minqwen.data import encoding

POEM = "床前明月光，疑是地上霜。举头望明月，低头思故乡。" * 3
FRENCH = "L'été dernier, la forêt brûlait ; « hélas ! » cria-t-il à l'hôtesse, déjà très émue. " * 3
ENGLISH = "Shall I compare thee to a summer's day? " * 3


def page(text, declared=""):
    meta = f'<meta charset="{declared}">' if declared else ""
    return f"<html><head>{meta}</head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize("declared", ["", "gb2312", "gbk", "GB18030", "utf-8", "iso-8859-1", "no-such-encoding"])
@pytest.mark.parametrize("server", ["", "text/html", "text/html; charset=ISO-8859-1", 'text/html; Charset="UTF-8"'])
@pytest.mark.parametrize("codec", ["gb18030", "utf-8", "utf-16"])
def test_chinese_is_read_whatever_page_and_server_say(codec, server, declared):
    text = page(POEM, declared)
    assert encoding.decode(text.encode(codec), server).text == text


def test_a_character_of_four_bytes_is_read():
    assert "𠀀" not in POEM
    text = page(POEM + "𠀀")
    assert encoding.decode(text.encode("gb18030")) == (text, "gb18030")


@pytest.mark.parametrize(
    ("codec", "server"),
    [
        pytest.param("cp1252", "", id="nothing declared"),
        pytest.param("cp1252", "text/html; charset=gb2312", id="declared as Chinese"),
        pytest.param("latin-1", "text/html; charset=utf-8", id="declared as UTF-8"),
        pytest.param("utf-8", "text/html; charset=latin-1", id="UTF-8, declared as Latin"),
        pytest.param("utf-8-sig", "text/html; charset=gbk", id="with a byte order mark"),
    ],
)
def test_accents_are_read_whatever_the_server_says(codec, server):
    assert encoding.decode(page(FRENCH).encode(codec), server).text == page(FRENCH)


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("ここはどこですか。私は東京へ行きます。" * 5, "shift_jis"),
        ("한국어로 쓴 문장입니다. " * 9, "euc_kr"),
        ("Паром уходит из северной гавани в девять часов утра. " * 4, "koi8_r"),
    ],
)
def test_other_scripts_are_read_when_they_are_declared(text, codec):
    given = page(text, codec.replace("_", "-"))
    assert encoding.decode(given.encode(codec)).text == given


def test_a_page_that_was_cut_in_a_character_loses_that_character_only():
    for codec in ("gb18030", "utf-8"):
        text = POEM * 9
        cut = encoding.decode(text.encode(codec)[:-1]).text
        assert cut[:-1].rstrip("\ufffd") in text and len(cut) >= len(text) - 2


def test_a_few_bad_bytes_do_not_turn_utf_8_into_something_else():
    raw = page(POEM).encode()
    text, found = encoding.decode(raw[:300] + b"\xff\xfe" + raw[300:])
    assert found == "utf-8" and text.replace("\ufffd", "")[-60:] == page(POEM)[-60:]


def test_what_was_lost_before_the_crawl_stays_lost_and_nothing_else():
    text = page("caf\ufffd, na\ufffdve")
    assert encoding.decode(text.encode()) == (text, "utf-8")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(random.Random(0).randbytes(5000), id="random bytes"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00", id="an image"),
        pytest.param("\0".join(ENGLISH).encode(), id="every second byte is NUL"),
    ],
)
def test_what_is_no_text_has_no_encoding(raw):
    assert encoding.decode(raw) == ("", None)


@pytest.mark.parametrize("name", ["rot13", "zip", "utf-7", "idna", "unicode_escape", "utf-16", "undefined", "hex"])
def test_no_codec_runs_that_is_no_encoding_of_pages(name):
    assert encoding.declared(b"", f"text/html; charset={name}") == []
    assert encoding.decode(ENGLISH.encode(), f"text/html; charset={name}").text == ENGLISH


def test_a_declaration_is_found_in_the_header_and_in_the_page():
    assert encoding.declared(b"<meta content='text/html; charset=Big5'>", "text/html; charset=koi8-r") == [
        "koi8_r",
        "big5",
    ]


@given(st.binary(max_size=300), st.text(max_size=30))
def test_no_bytes_raise(raw, content_type):
    assert isinstance(encoding.decode(raw, content_type).text, str)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_utf_8_comes_back_unchanged(text):
    raw = text.encode()
    if not any(raw.startswith(mark) for mark, _ in encoding.MARKS):
        assert encoding.decode(raw, "text/html; charset=gbk").text == text
