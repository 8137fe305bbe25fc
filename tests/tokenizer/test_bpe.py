"""Training merges. Oracles: a trainer that counts everything anew at each step, and HF `tokenizers`' trainer."""

from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from minqwen.data import corpus
from minqwen.tokenizer import bpe, pretokenize


def naive_merges(words, n_merges, tie):
    """Algorithm 1 to the letter: count all pairs of all words, merge the best, and start again."""
    tokens = [bytes([byte]) for byte in range(256)]
    words = {tuple(word): times for word, times in words.items()}
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = {}
        for word, times in words.items():
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + times
        if tie == "lexmax":
            best = max(counts, key=lambda pair: (counts[pair], tokens[pair[0]], tokens[pair[1]]))
        else:
            best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        tokens.append(tokens[best[0]] + tokens[best[1]])
        merged = Counter()
        for word, times in words.items():
            ids = list(word)
            for i in range(len(ids)):
                if tuple(ids[i : i + 2]) == best:
                    ids[i : i + 2] = [new_id]
            merged[tuple(ids)] += times
        words = merged
    return merges


def mixed_words(n_documents):
    """Words of both languages, and signs; what stands once is as good as what stands often."""
    documents = [*corpus.load("held_out", "en")[:n_documents], *corpus.load("held_out", "zh")[: 10 * n_documents]]
    text = "\n".join(document.text for document in documents) + "\n aaaaaaa  1616 naïve 😀😀😀 \t\r\n"
    return Counter(tuple(word.encode()) for word in pretokenize.split_words(text))


def test_count_pairs_counts_overlaps_and_repeats():
    counts = bpe.count_pairs({(97, 97, 97, 97): 5, (97, 98): 2, (99,): 7})
    assert counts == {(97, 97): 15, (97, 98): 2}


@pytest.mark.parametrize(
    ("ids", "merged"),
    [
        pytest.param([1, 1, 1, 1], [9, 9], id="four make two"),
        pytest.param([1, 1, 1], [9, 1], id="the left pair is merged first"),
        pytest.param([2, 1, 1, 2], [2, 9, 2], id="inside"),
        pytest.param([1], [1], id="too short"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_merge_pair_goes_from_left_to_right(ids, merged):
    given_ids = list(ids)
    assert bpe.merge_pair(ids, (1, 1), 9) == merged
    assert ids == given_ids


@pytest.mark.parametrize("tie", ["lexmax", "lowest_id"])
def test_merges_equal_those_of_counting_anew(tie):
    words = mixed_words(n_documents=2)
    assert bpe.learn_merges(words, 300, tie) == naive_merges(words, 300, tie)


@given(
    st.dictionaries(st.lists(st.sampled_from(b"ab\xff"), max_size=11).map(tuple), st.integers(1, 3), max_size=7),
    st.sampled_from(["lexmax", "lowest_id"]),
)
def test_merges_equal_those_of_counting_anew_where_ties_are_the_rule(words, tie):
    n_merges = min(5, len({pair for word in words for pair in pairwise(word)}))
    try:
        expected = naive_merges(words, n_merges, tie)
    except ValueError:  # nothing is left to merge
        with pytest.raises(ValueError, match="train on more text"):
            bpe.learn_merges(words, n_merges, tie)
    else:
        assert bpe.learn_merges(words, n_merges, tie) == expected


def test_the_two_tie_rules_differ():
    words = {(97, 98): 1, (99, 100): 1}
    assert bpe.learn_merges(words, 1, "lexmax") == [(99, 100)]
    assert bpe.learn_merges(words, 1, "lowest_id") == [(97, 98)]


def test_the_greater_of_two_byte_strings_is_the_longer_where_one_begins_the_other():
    words = {(97, 97): 4, (97, 97, 99): 2, (97, 99): 2}  # after aa: (aa, c) and (a, c), twice each
    assert bpe.learn_merges(words, 2, "lexmax") == [(97, 97), (256, 99)]


def test_merges_equal_those_of_hf_tokenizers():
    """On ASCII words, where its alphabet is in the order of the bytes; it takes the smallest ids among equals."""
    text = " ".join(document.text for document in corpus.load("held_out", "en")[:20])
    text = "".join(character if character.isalpha() else " " for character in text)
    peer = tokenizers.Tokenizer(tokenizers.models.BPE())
    peer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    alphabet = sorted(set(text.replace(" ", "")))
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=len(alphabet) + 500, show_progress=False)
    peer.train_from_iterator([text], trainer)
    theirs = [token for token, _ in sorted(peer.get_vocab().items(), key=lambda item: item[1])][len(alphabet) :]
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in bpe.learn_merges(Counter(tuple(word.encode()) for word in text.split()), 500, "lowest_id"):
        tokens.append(tokens[left] + tokens[right])
    assert [token.decode() for token in tokens[256:]] == theirs


@pytest.mark.parametrize("tie", ["lexmax", "lowest_id"])
def test_the_example_of_wikipedia_ends_in_five_tokens(tie):
    tokenizer = bpe.train_bpe("aaabdaaabac", 256 + 3 + 16, tie)
    ids = tokenizer.encode("aaabdaaabac")
    assert [tokenizer.token_text(i) for i in ids] == ["aaab", "d", "aaab", "a", "c"]  # XdXac


def test_a_vocabulary_is_bytes_then_merges_then_control_tokens():
    tokenizer = bpe.train_bpe("low lower lowest", 256 + 5 + 16)
    assert tokenizer.vocab_size == 277
    assert [tokenizer.token_bytes(i) for i in range(256)] == [bytes([i]) for i in range(256)]
    assert tokenizer.control_ids["<|endoftext|>"] == 261
    assert tokenizer.control_ids["<|extra_12|>"] == 276


def test_training_composes_characters_first():
    assert bpe.train_bpe("e\u0301", 273).encode("é") == [256]


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        pytest.param(("ab", 300), "ask for a vocabulary smaller by 27, or train on more text", id="nothing left"),
        pytest.param(("", 273), "ask for a vocabulary smaller by 1, or train on more text", id="no text"),
        pytest.param(("a", 273), "ask for a vocabulary smaller by 1, or train on more text", id="one letter"),
        pytest.param(("ab", 255), "ask for 272 or more", id="not even the bytes"),
        pytest.param(("ab", 271), "ask for 272 or more", id="too small"),
        pytest.param(("ab", 272, "first"), "choose 'lexmax' or 'lowest_id'", id="no such rule"),
        pytest.param(("\udc00ab", 273), "errors='replace'", id="half a surrogate pair"),
    ],
)
def test_bad_input_is_told_the_way_out(arguments, way_out):
    with pytest.raises(ValueError, match=way_out):
        bpe.train_bpe(*arguments)


def test_a_text_with_nothing_to_merge_still_gives_a_vocabulary_of_bytes():
    for text in ("", "a"):
        assert bpe.train_bpe(text, 272).encode("ab\x00") == [97, 98, 0]


def test_nul_bytes_are_bytes_like_others():
    tokenizer = bpe.train_bpe("\x00\x00 \x00\x00", 273)
    assert tokenizer.token_bytes(256) == b"\x00\x00"
    assert tokenizer.decode(tokenizer.encode("a\x00\x00b")) == "a\x00\x00b"
