"""Oracles: Python's whole numbers without overflow, datasketch 2 with the same permutations, exact Jaccard by sets."""

import unicodedata

import numpy as np
import pytest
import regex
import xxhash
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minqwen.data import minhash

SCHEMES = ("affine32", "legacy")
words = st.sets(st.text("abcdé床 ", min_size=1, max_size=7), min_size=1, max_size=40)
texts = st.text("ab 床前\n\u3000\ud800", max_size=60)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        pytest.param("to be or not", "word", {"to be or", "be or not"}, id="words"),
        pytest.param("to be or not", "mixed", {"to be or", "be or not"}, id="mixed, of words only"),
        pytest.param("床前明月", "mixed", {"床 前 明", "前 明 月"}, id="Chinese characters"),
        pytest.param("读 GPT4 论文", "mixed", {"读 gpt4 论", "gpt4 论 文"}, id="both"),
        pytest.param("读GPT4论文", "mixed", {"读 gpt4 论", "gpt4 论 文"}, id="both, without blanks"),
        pytest.param("床前明月", "word", {"床前明月"}, id="to words a clause is one word"),
        pytest.param("ab cd", "character", {"a b c", "b c d"}, id="characters"),
        pytest.param("to be", "word", {"to be"}, id="shorter than a shingle: the whole"),
        pytest.param("to be to be to be", "word", {"to be to", "be to be"}, id="each once"),
        pytest.param("", "mixed", set(), id="empty"),
        pytest.param(" \n\u3000", "character", set(), id="blanks only"),
    ],
)
def test_shingles_are_runs_of_tokens(text, unit, expected):
    assert minhash.shingle(text.lower(), 3, unit) == expected


def test_every_letter_of_a_script_without_blanks_is_a_token_and_no_other_is():
    letters = [chr(i) for i in range(0x34000) if unicodedata.category(chr(i))[0] in "LN"]
    unspaced = [c for c in letters if regex.match(r"[\p{Han}\p{Hiragana}\p{Katakana}ー]", c)]
    assert len(unspaced) > 90_000
    assert minhash.tokens("".join(unspaced)) == unspaced
    others = [c for c in letters if not regex.match(r"[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}]", c)]
    assert minhash.tokens("".join(others)) == ["".join(others)]


def test_the_borders_of_words_are_part_of_a_shingle():
    assert minhash.shingle("ab c", 2, "word") != minhash.shingle("a bc", 2, "word")


@pytest.mark.parametrize("unit", minhash.UNITS)
@settings(deadline=None)
@given(text=texts, n=st.integers(1, 7))
def test_hashing_a_text_is_hashing_its_shingles(unit, text, n):
    hashed = minhash.hash_text(text, n, unit)
    assert hashed.dtype == np.uint32
    assert set(hashed.tolist()) == set(minhash.hash_shingles(minhash.shingle(text, n, unit)).tolist())


def test_shingles_are_hashed_by_xxh32():
    assert minhash.hash_shingles([""]).tolist() == [0x02CC5D05]  # the value that the algorithm's own page prints


def fmix32(x: int) -> int:
    x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
    x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
    return x ^ x >> 16


FORMULAS = {
    "affine32": lambda a, b, x: (a * fmix32(x) + b) % 2**32,
    "legacy": lambda a, b, x: (a * x + b) % 2**64 % (2**61 - 1) % 2**32,
}


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(deadline=None)
@given(shingles=words, seed=st.integers(0, 2**32 - 1))
def test_a_signature_is_the_minimum_under_each_permutation(scheme, shingles, seed):
    p = minhash.random_permutations(11, seed, scheme)
    hashes = [xxhash.xxh32_intdigest(shingle.encode()) for shingle in shingles]
    expected = [min(FORMULAS[scheme](int(a), int(b), x) for x in hashes) for a, b in zip(*p)]
    assert minhash.minhash_signature(shingles, p).tolist() == expected


@pytest.mark.parametrize("x", [0, 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize(("a", "b"), [(2**61 - 2, 0), (1, 2**61 - 2), (2**61 - 2, 2**61 - 2), (2**32 + 1, 2**61 - 3)])
def test_the_modulo_without_division_is_right_at_its_edges(a, b, x):
    one = np.array([a], np.uint64), np.array([b], np.uint64)
    [[signature]] = minhash.signatures([np.array([x], np.uint32)], minhash.Permutations(*one))
    assert signature == FORMULAS["legacy"](a, b, x)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", [1, 7])
def test_signatures_equal_those_of_datasketch(scheme, seed):
    p = minhash.random_permutations(128, seed, scheme)
    shingles = {f"shingle {i} 床前" for i in range(1009)}
    peer = MinHash(num_perm=128, permutations=np.array(p), scheme=scheme, hashfunc=xxhash.xxh32_intdigest)
    peer.update_batch([shingle.encode() for shingle in shingles])
    assert_array_equal(minhash.minhash_signature(shingles, p), peer.hashvalues)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", [1, 7])
def test_permutations_are_those_that_datasketch_draws(scheme, seed):
    p = minhash.random_permutations(13, seed, scheme)
    assert_array_equal(np.array(p), MinHash(num_perm=13, seed=seed, scheme=scheme).permutations)
    assert p.a.dtype == {"affine32": np.uint32, "legacy": np.uint64}[scheme]


def test_an_even_factor_would_be_no_permutation():
    assert (minhash.random_permutations(1000, 3).a % 2 == 1).all()


@settings(deadline=None)
@given(words, words)
def test_the_signature_of_a_union_is_the_minimum_of_both(a, b):
    p = minhash.random_permutations(17)
    both = np.minimum(minhash.minhash_signature(a, p), minhash.minhash_signature(b, p))
    assert_array_equal(minhash.minhash_signature(a | b, p), both)
    assert_array_equal(minhash.minhash_signature([*a, *b, *a], p), both)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("at_once", "products"), [(7, 11), (1, 1), (64, 2**20)])
def test_laying_sets_end_to_end_changes_nothing(scheme, at_once, products, monkeypatch):
    random, p = np.random.default_rng(5), minhash.random_permutations(13, 2, scheme)
    sets = [random.integers(0, 2**32, n, dtype=np.uint32) for n in (3, 1, 7, 7, 29, 2, 1)]
    alone = np.stack([minhash.signatures([each], p)[0] for each in sets])
    monkeypatch.setattr(minhash, "AT_ONCE", at_once)
    monkeypatch.setattr(minhash, "PRODUCTS", products)
    assert_array_equal(minhash.signatures(sets, p), alone)


def test_no_sets_have_no_signatures():
    assert minhash.signatures([], minhash.random_permutations(5)).shape == (0, 5)


def pairs_of_known_overlap(n: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """n pairs of sets of random hashes, one after the other, and their Jaccard similarities by Python's sets."""
    random = np.random.default_rng(seed)
    sets = []
    for _ in range(n):
        union, shared = random.integers(60, 240), random.uniform(0.05, 0.95)
        of_both = random.random(union) < shared
        of_both[:2] = True, False  # neither equal nor disjoint: their estimates have no error to count in
        left = of_both | (random.random(union) < 0.5)
        hashes = random.integers(0, 2**32, union, dtype=np.uint32)
        sets += [hashes[left], hashes[of_both | ~left]]
    exact = [len(a & b) / len(a | b) for a, b in zip(*(map(set, map(np.ndarray.tolist, sets[i::2])) for i in (0, 1)))]
    return sets, np.array(exact)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_estimates_lie_within_three_standard_errors_without_bias(scheme):
    errors = []
    for seed in range(5):
        sets, exact = pairs_of_known_overlap(1000, seed)
        signatures = minhash.signatures(sets, minhash.random_permutations(128, seed, scheme))
        estimates = minhash.estimate_jaccard(signatures[0::2], signatures[1::2])
        errors.append((estimates - exact) / np.sqrt(exact * (1 - exact) / 128))
        assert (np.abs(errors[-1]) <= 3).mean() >= 0.98, seed
    # The pairs of one seed share their permutations, so the mean of all is less sure than that of 5000 free ones.
    assert abs(np.mean(errors)) < 0.2 and 0.9 < np.std(errors) < 1.1


def test_the_estimate_is_the_share_of_equal_entries():
    a, b = np.array([[1, 2, 3, 4], [1, 1, 1, 1]], np.uint32), np.array([[1, 2, 0, 4], [0, 0, 0, 0]], np.uint32)
    assert minhash.estimate_jaccard(a, b).tolist() == [0.75, 0.0]
    assert minhash.estimate_jaccard(a[0], b[0]) == 0.75


@settings(deadline=None)
@given(st.sampled_from(["\0", "\ud800", "\ufeff", "床"]))
def test_any_character_can_be_hashed(character):
    assert len(minhash.minhash_signature({character * 5}, minhash.random_permutations(3))) == 3


def test_one_endless_word_is_one_shingle():
    assert minhash.shingle("a" * 10**6, 5) == {"a" * 10**6}
    assert len(minhash.hash_text("a" * 10**6, 5)) == 1


P = minhash.random_permutations(3)


@pytest.mark.parametrize(
    ("function", "way_out"),
    [
        pytest.param(lambda: minhash.minhash_signature(set(), P), "leave empty texts out", id="empty"),
        pytest.param(
            lambda: minhash.signatures([minhash.hash_text(each, 1) for each in ("a", "b", "")], P),
            "set 2 is",
            id="which",
        ),
        pytest.param(lambda: minhash.shingle("a b", 0), "5 words are usual", id="no length"),
        pytest.param(lambda: minhash.hash_text("a b", 0), "5 words are usual", id="no length, hashed"),
        pytest.param(lambda: minhash.shingle("a", 1, "line"), "choose one of mixed, word, character", id="no unit"),
        pytest.param(lambda: minhash.random_permutations(0), "128 is usual", id="no permutation"),
        pytest.param(lambda: minhash.random_permutations(5, 1, "md5"), "'affine32' or 'legacy'", id="no scheme"),
    ],
)
def test_bad_input_is_told_the_way_out(function, way_out):
    with pytest.raises(ValueError, match=way_out):
        function()
