"""The shipped corpus as the code reads it. Oracles: the split rule, and what every document must look like."""

import lzma
import re

import pytest

from minqwen.data import corpus


@pytest.fixture(scope="module")
def documents():
    return {split: corpus.load(split) for split in corpus.SPLITS}


def test_a_work_lies_in_one_split(documents):
    works = [{(document.language, document.work) for document in documents[split]} for split in corpus.SPLITS]
    assert works[0].isdisjoint(works[1])


def test_every_document_lies_where_the_rule_puts_it(documents):
    for split in corpus.SPLITS:
        assert {corpus.split_of(document.language, document.work) for document in documents[split]} == {split}


def test_no_line_of_a_held_out_poem_is_trained_on(documents):
    lines = [
        {line for document in documents[split] if document.language == "zh" for line in document.text.splitlines()[1:]}
        for split in corpus.SPLITS
    ]
    assert lines[0].isdisjoint(lines[1])


@pytest.mark.parametrize("language", corpus.LANGUAGES)
def test_about_one_twentieth_is_held_out(documents, language):
    held_out, train = (
        sum(len(document.text.encode()) for document in documents[split] if document.language == language)
        for split in ("held_out", "train")
    )
    assert 0.04 < held_out / (held_out + train) < 0.055  # cleaning took from the training side only


def test_a_poem_has_a_title_line_and_couplets(documents):
    for document in documents["train"] + documents["held_out"]:
        if document.language == "zh":
            title, *lines = document.text.split("\n")
            assert title == f"《{document.title}》{document.author}"
            assert 2 <= len(lines) <= 40
            assert all(re.fullmatch(r"[\u4e00-\u9fff，、；：！？。]+[。！？]", line) for line in lines)


def test_a_piece_of_a_play_stands_under_its_title(documents):
    for document in documents["train"] + documents["held_out"]:
        if document.language == "en":
            assert document.text.startswith(f"{document.title} by {document.author}\n\n")
            assert len(document.text) < 3600
            assert document.text.isascii()
            assert "Gutenberg" not in document.text


def test_one_language_can_be_asked_for(documents):
    assert corpus.load("held_out", "zh") == [d for d in documents["held_out"] if d.language == "zh"]


def test_famous_lines_are_there(documents):
    texts = [document.text for document in documents["train"]]
    assert any("To be, or not to be,--that is the question" in text for text in texts)
    assert "《春晓》孟浩然\n春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。" in texts


def test_packed_documents_come_back():
    documents = [corpus.Document("zh", "李白", "李白", "静夜思", "《静夜思》李白\n床前\u2028看月光。")]
    assert corpus.unpack(corpus.pack(documents)) == documents


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"no xz", id="not xz"),
        pytest.param(corpus.pack([corpus.Document("en", "a", "b", "c", "d")])[:-9], id="truncated"),
        pytest.param(lzma.compress(b"{]\n"), id="no JSON"),
        pytest.param(lzma.compress(b'{"text": "x"}\n'), id="fields missing"),
    ],
)
def test_a_damaged_corpus_is_told_the_way_out(packed):
    with pytest.raises(ValueError, match=r"fetch it again, or build it as minqwen/assets/README\.md says"):
        corpus.unpack(packed)


def test_names_that_do_not_exist_are_told_the_choice():
    with pytest.raises(ValueError, match="choose one of"):
        corpus.load("test")
    with pytest.raises(ValueError, match="or None for both"):
        corpus.load("train", "fr")
    with pytest.raises(ValueError, match="choose one of"):
        corpus.split_of("fr", "Hamlet")
