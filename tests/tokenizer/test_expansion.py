"""New words for an old vocabulary. Oracles: Qwen's rule on byte strings, step by step, and a case by hand."""

from itertools import pairwise

import pytest

from minqwen import assets
from minqwen.tokenizer import Tokenizer, bpe, expansion, vocabulary

BYTES = Tokenizer({bytes([i]): i for i in range(256)}, ["<a>", "<b>"])


def naive_merges(words, ranks):
    """On tuples of byte strings: count all pairs, take the best, merge it everywhere, until each word is one piece."""
    table = {}
    for word, times in words.items():
        pieces = [bytes([byte]) for byte in word.encode()]
        while known := [ranks[a + b] for a, b in pairwise(pieces) if a + b in ranks]:
            i = next(i for i, (a, b) in enumerate(pairwise(pieces)) if ranks.get(a + b) == min(known))
            pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
        table[word] = (pieces, times)
    merged = []
    while table := {word: (pieces, times) for word, (pieces, times) in table.items() if len(pieces) > 1}:
        counts = {}
        for pieces, times in table.values():
            for pair in pairwise(pieces):
                counts[pair] = counts.get(pair, 0) + times

        def key(pair, counts=counts):
            text = (pair[0] + pair[1]).decode("utf-8", errors="replace")
            return -counts[pair], len(text), len(pair[0] + pair[1]), text, pair[0] + pair[1]

        best = min(counts, key=key)
        merged.append(best[0] + best[1])
        for pieces, _ in table.values():
            for i in range(len(pieces)):
                if tuple(pieces[i : i + 2]) == best:
                    pieces[i : i + 2] = [best[0] + best[1]]
    return merged


def test_new_tokens_equal_those_of_the_rule_step_by_step():
    qwen = vocabulary.qwen_tokenizer()
    words = {"我是一只猫": 20, "你是一只猫": 10, "他是一只猫": 5, "一只": 200, " Verona": 7, " Veronesi": 3, "ßſŋ": 1}
    more = expansion.expand(qwen, words)
    merged = naive_merges(words, qwen.ranks)
    assert list(more.ranks.items())[151_643:] == [(token, 151_851 + i) for i, token in enumerate(merged)]
    assert more.control_ids == qwen.control_ids
    assert all(len(more.encode(word)) == 1 for word in words)
    assert more.encode("<|im_end|>", allow_control=True) == [151645]
    assert more.to_tiktoken().encode("我是一只猫 Verona") == more.encode("我是一只猫 Verona")


def test_a_case_by_hand():
    more = expansion.expand(BYTES, {"abc": 3, "bc": 2, "xy": 2})
    new = {token: rank for token, rank in more.ranks.items() if rank >= 258}
    assert new == {b"bc": 258, b"abc": 259, b"xy": 260}  # bc five times, then a+bc three, then x+y two
    assert more.control_ids == {"<a>": 256, "<b>": 257}


def test_equals_are_taken_by_characters_then_bytes_then_order():
    more = expansion.expand(BYTES, {"é": 1, "ba": 1, "ab": 1})
    assert list(more.ranks)[256:] == ["é".encode(), b"ab", b"ba"]  # one character, then two, in order
    old = Tokenizer({**BYTES.ranks, b"\xe6\x9c": 258}, ["<a>", "<b>"])  # the beginning of 月
    more = expansion.expand(old, {"月": 1, "明": 1, "ab": 1})
    new = list(more.ranks)[257:]  # e6 98 is shown as one �: two bytes; then one character of three, then two of one
    assert new == [b"\xe6\x98", "明".encode(), "月".encode(), b"ab"]


def test_a_word_that_an_old_token_completes_becomes_that_token():
    ranks = {**BYTES.ranks, b"ab": 258, b"cd": 259, b"bc": 260, b"abcd": 261, b"bcd": 262}
    old = Tokenizer(ranks, ["<a>", "<b>"])
    more = expansion.expand(old, {"xabcd": 2, "abcdx": 1})
    assert all(len(more.encode(word)) == 1 for word in ("xabcd", "abcdx"))
    assert all(more.ranks[token] == rank for token, rank in ranks.items())


def test_words_that_are_tokens_already_add_nothing():
    shipped = Tokenizer.from_pretrained(assets.TINY_QWEN)
    assert expansion.expand(shipped, {" the": 5}).vocab_size == shipped.vocab_size
    assert expansion.expand(shipped, {}).ranks == shipped.ranks


def test_one_word_in_two_forms_of_unicode_counts_as_one():
    assert expansion.expand(BYTES, {"é": 1, "e\u0301": 1}).vocab_size == 259
    more = expansion.expand(BYTES, {"é": 2, "ab": 3, "e\u0301": 2})
    assert list(more.ranks)[256:] == ["é".encode(), b"ab"], "twice and twice again is more often than three times"


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        pytest.param({"two words": 1}, "cannot be a token; leave it out", id="cut by the pattern"),
        pytest.param({"12": 1}, "cannot be a token; leave it out", id="two digits"),
        pytest.param({"": 1}, "cannot be a token; leave it out", id="nothing"),
        pytest.param({"word": 0}, "leave it out, or count it once", id="never"),
        pytest.param({"\ud800": 1}, "errors='replace'", id="half a surrogate pair"),
    ],
)
def test_a_word_that_cannot_be_a_token_is_refused(words, way_out):
    with pytest.raises(ValueError, match=way_out):
        expansion.expand(BYTES, words)


def test_an_expanded_vocabulary_is_saved_and_read(tmp_path):
    more = expansion.expand(bpe.train_bpe("low lower lowest", 275), {"lowest": 1})
    more.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert (again.ranks, again.control_ids) == (more.ranks, more.control_ids)
