"""Merging by rank. Oracle: look at all pairs each time, and merge the first of the lowest rank."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minqwen import assets
from minqwen.tokenizer import Tokenizer, encoding

SHIPPED = Tokenizer.from_pretrained(assets.TINY_QWEN)
A_RUN = Tokenizer({**{bytes([i]): i for i in range(256)}, b"aa": 256, b"aaa": 257, b"ab": 258, b"bab": 259})


def naive_merge(word, ranks):
    """Look at all pairs each time, and merge the first of the lowest rank."""
    parts = [word[i : i + 1] for i in range(len(word))]
    while True:
        known = [ranks[a + b] for a, b in pairwise(parts) if a + b in ranks]
        if not known:
            return [ranks[part] for part in parts]
        i = next(i for i in range(len(parts)) if ranks.get(b"".join(parts[i : i + 2])) == min(known))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


@given(st.binary(min_size=1, max_size=40) | st.text("ab", min_size=1, max_size=40).map(str.encode))
def test_merging_equals_merging_by_search(word):
    for tokenizer in (SHIPPED, A_RUN):
        if word not in tokenizer.ranks:
            assert encoding.merge_by_rank(word, tokenizer.ranks) == naive_merge(word, tokenizer.ranks)


def test_every_token_of_the_shipped_vocabulary_can_be_reached():
    for token, rank in SHIPPED.ranks.items():
        assert naive_merge(token, SHIPPED.ranks) == [rank]


def test_a_word_that_is_a_token_is_that_token_as_in_tiktoken_even_if_no_merges_lead_there():
    tokenizer = Tokenizer({**{bytes([i]): i for i in range(256)}, b"abc": 256})
    assert tokenizer.encode("abc") == tokenizer.to_tiktoken().encode("abc") == [256]
    assert tokenizer.encode("abcd") == tokenizer.to_tiktoken().encode("abcd") == [*b"abcd"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("aab 11", [b"aab", b" ", b"1", b"1"], id="words one after the other, digits alone"),
        pytest.param("bab,bab", [b"bab", b",bab"], id="a word that came before"),
    ],
)
def test_encode_merges_word_by_word(text, words):
    expected = [i for word in words for i in naive_merge(word, A_RUN.ranks)]
    assert encoding.encode(text, A_RUN.ranks) == expected


def test_encode_refuses_half_a_surrogate_pair():
    with pytest.raises(ValueError, match="errors='replace'"):
        encoding.encode("\ud83d", A_RUN.ranks)
