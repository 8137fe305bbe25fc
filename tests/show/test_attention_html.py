"""The page read back as a parser reads it. Oracle: `attention_maps` of the same sentences, to half a step of 1/255."""

import base64
import json
from html.parser import HTMLParser

import pytest
import torch
from torch.testing import assert_close

from minqwen import show
from minqwen.show import attention_html, heads

NASTY = "</script><b>\"'&amp; $x"


class Reader(HTMLParser):
    """Start tags with their attributes, and the text inside each kind of tag."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.inside = [], {}, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = dict(attributes).get("id", tag)

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        self.text[self.inside] = self.text.get(self.inside, "") + data


@pytest.fixture(scope="module")
def page(model, tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "attention.html"
    shown = show.attention_page(model, tokenizer, ["a aa月", NASTY], path)
    return path.read_text("utf-8"), shown.data


def data_of(page):
    return json.loads(Reader(page).text["data"])


def test_the_weights_come_back_to_half_a_step(page, model, tokenizer):
    for text in data_of(page[0])["texts"]:
        maps = heads.attention_maps(model, torch.tensor(tokenizer.encode(text["text"])))
        past = torch.ones(maps.shape[-2:], dtype=torch.bool).tril()
        levels = torch.frombuffer(bytearray(base64.b64decode(text["bytes"])), dtype=torch.uint8)
        assert_close(levels.double() / 255, maps[..., past].flatten(), atol=0.5 / 255 + 1e-9, rtol=0)
        assert_close(
            torch.tensor(text["scores"]["first token"]), heads.first_token_score(maps).float(), atol=1e-4, rtol=0
        )


def test_no_text_ends_the_script_or_becomes_a_tag(page):
    reader = Reader(page[0])
    assert data_of(page[0])["texts"][1]["text"] == NASTY
    assert [tag for tag, _ in reader.tags].count("script") == 2 and "b" not in [tag for tag, _ in reader.tags]


def test_a_token_that_is_a_tag_is_escaped_in_the_table():
    table = attention_html._table(["<", "&", "<b>"], torch.full((3, 3), 1 / 3), "head")
    assert "<td>&lt;</td>" in table and "<td>&amp;</td>" in table and "<b>" not in table


def test_the_page_asks_for_nothing(page):
    assert "http://" not in page[0] and "https://" not in page[0]
    [policy] = [a["content"] for tag, a in Reader(page[0]).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert not [tag for tag, a in Reader(page[0]).tags if "src" in a or (tag == "link" and a["href"] != "data:,")]


def test_the_page_is_made_for_the_keyboard_and_for_listeners(page):
    html = page[0]
    for needed in ("ArrowLeft", "ArrowDown", "tabIndex", "aria-pressed", 'role="toolbar"', 'role="img"', "aria-live"):
        assert needed in html


def test_a_notebook_shows_the_same_page_in_a_frame_and_a_table_without_scripts(page):
    html, shown = page
    tags = Reader(shown).tags
    [frame] = [attributes for tag, attributes in tags if tag == "iframe"]
    assert frame["srcdoc"] == html and frame["sandbox"] == "allow-scripts" and frame["title"]
    assert "table" in [tag for tag, _ in tags] and "script" not in [tag for tag, _ in tags]


def test_24_tokens_of_36_heads_stay_small():
    maps = torch.rand(6, 6, 24, 24).softmax(dim=-1)
    assert len(attention_html.quantise(maps)) < 20_000


def test_a_sentence_that_cannot_be_shown_writes_nothing(model, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="type a few words"):
        show.attention_page(model, tokenizer, ["a a", ""], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()
