"""Lesson 06: what the statements claim, and answers in other words. Oracles: tiktoken, and the tokenizer itself."""

import contextlib
import io
import math
from collections import Counter
from itertools import pairwise

import pytest
import tiktoken

from minqwen import assets
from minqwen.check import EXERCISES, check, trials, using
from minqwen.tokenizer import Tokenizer, bpe, pretokenize, vocabulary

SHIPPED = Tokenizer.from_pretrained(assets.TINY_QWEN)


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].stub}\n{EXERCISES[name].solution}", cells)
    return cells


def count_by_index(words):
    counts = {}
    for word, times in words.items():
        for i in range(1, len(word)):
            counts[word[i - 1], word[i]] = counts.get((word[i - 1], word[i]), 0) + times
    return counts


def merge_by_pop(ids, pair, new_id):
    merged = []
    for i in ids:
        merged.append(i)
        if tuple(merged[-2:]) == pair:
            merged[-2:] = [new_id]
    return merged


def encode_by_merge_pair(text, ranks):
    ids = []
    for word in pretokenize.split_words(text):
        tokens = tuple(bytes([byte]) for byte in word.encode())
        while len(tokens) > 1:
            rank, pair = min((ranks.get(a + b, math.inf), (a, b)) for a, b in pairwise(tokens))
            if rank == math.inf:
                break
            tokens = tuple(merge_by_pop(tokens, pair, pair[0] + pair[1]))
        ids.extend(map(ranks.__getitem__, tokens))
    return tuple(ids)


def hold_back_by_hand(tokens):
    shown, kept = [], b""
    for token in tokens:
        kept += token
        whole = kept.decode("utf-8", errors="ignore")
        shown.append(whole)
        kept = kept[len(whole.encode()) :]
    return shown


OTHER_WORDS = {
    "counting by index, in a dict": ("count_pairs", count_by_index),
    "merging by looking back": ("merge_pair", merge_by_pop),
    "encoding by merging pairs, as a tuple": ("encode", encode_by_merge_pair),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


def test_holding_back_by_hand_is_right_too():
    assert check(hold_back_by_hand, "06_half_a_character", cause="b")


def test_what_encode_should_give_is_what_tiktoken_gives():
    for case in trials.cases("encode")[::3]:
        settings = {"pat_str": pretokenize.PATTERN, "mergeable_ranks": case.args["ranks"], "special_tokens": {}}
        assert tiktoken.Encoding("case", **settings).encode_ordinary(case.args["text"]) == case.expected


TAKEN = {
    "the tokenizer": lambda text, ranks: Tokenizer(ranks).encode(text),
    "tiktoken": lambda text, ranks: Tokenizer(ranks).to_tiktoken().encode(text),
}


@pytest.mark.parametrize("answer", TAKEN.values(), ids=TAKEN)
def test_a_tokenizer_that_is_there_is_no_answer(answer):
    assert "write it yourself" in check(answer, "encode").report


def test_an_argument_that_was_changed_is_told(capsys):
    def merge_pair(ids, pair, new_id):
        for i in range(len(ids)):
            if tuple(ids[i : i + 2]) == pair:
                ids[i : i + 2] = [new_id]
        return list(ids)

    assert not check(merge_pair)
    assert (
        "it changed its argument ids in place; the caller still needs ids: take a new list" in capsys.readouterr().out
    )


def test_a_learners_encode_runs_the_tokenizer():
    text = "To be, or not to be: 床前明月光 2023"
    before, called = SHIPPED.encode(text), []

    def encode(text, ranks):
        called.append(text)
        return list(encode_by_merge_pair(text, ranks))

    with using(encode):
        assert SHIPPED.encode(text) == before
    assert called == [text]


def test_a_learners_count_runs_the_trainer():
    words = Counter(tuple(word.encode()) for word in ["low", "lower", "lowest", "low"])
    before, called = bpe.learn_merges(words, 3), []

    def count_pairs(words):
        called.append(len(words))
        return Counter(count_by_index(words))

    with using(count_pairs):
        assert bpe.learn_merges(words, 3) == before
    assert called


def test_the_mended_chat_shows_the_real_qwens_tokens_as_the_library_streams_them():
    qwen = vocabulary.qwen_tokenizer()
    ids = qwen.encode("栋梁之材 𠀀 👩‍👩‍👧 moon")
    assert solved("06_half_a_character")["fixed"]([qwen.token_bytes(i) for i in ids]) == list(qwen.stream(ids))


def test_bits_per_byte_do_not_depend_on_how_a_text_is_cut():
    nats, size = 240.0, 300
    for n_tokens in (100, 150):
        per_byte = nats / n_tokens / math.log(2) / (size / n_tokens)
        assert per_byte == pytest.approx(EXERCISES["06_bits_per_byte"].answer)
