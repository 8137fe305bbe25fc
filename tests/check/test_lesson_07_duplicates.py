"""Lesson 07, near-duplicates: what the statements claim, answers in other words, and the library on the solutions.

Oracles: the examples of the statements, and the library itself.
"""

import contextlib
import io
import itertools

import numpy as np
import pytest

from minqwen.check import EXERCISES, check, using
from minqwen.data import clusters, dedup, lsh, minhash


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].stub}\n{EXERCISES[name].solution}", cells)
    return cells


def shingle_by_zip(text, n, unit="mixed"):
    parts = minhash.tokens(text, unit)
    runs = [" ".join(run) for run in zip(*(parts[i:] for i in range(n)))]
    return set(runs) or ({" ".join(parts)} if parts else set())


def signature_by_loops(shingles, permutations):
    x = minhash.mix(minhash.hash_shingles(list(shingles)))
    return np.array([(a * x + b).min() for a, b in zip(permutations.a, permutations.b)])


def signature_by_outer(shingles, permutations):
    x = minhash.mix(minhash.hash_shingles(shingles))
    return np.minimum.reduce(np.multiply.outer(x, permutations.a) + permutations.b)


def bands_by_strips(threshold, num_perm, fp_weight=0.5):
    s = (np.arange(1000) + 0.5) / 1000

    def area(pair):
        curve = 1 - (1 - s ** pair[1]) ** pair[0]
        return np.where(s < threshold, fp_weight * curve, (1 - fp_weight) * (1 - curve)).sum()

    return min(((b, r) for b in range(1, num_perm + 1) for r in range(1, num_perm // b + 1)), key=area)


def pairs_of_equal_bytes(signatures, b, r):
    found = set()
    for band in np.split(signatures[:, : b * r], b, axis=1):
        keys = [row.tobytes() for row in band]
        found |= {(i, j) for i, j in itertools.combinations(range(len(keys)), 2) if keys[i] == keys[j]}
    return found


def pairs_in_a_list(signatures, b, r):
    bands = signatures[:, : b * r].reshape(len(signatures), b, r).tolist()
    return {(i, j) for j, q in enumerate(bands) for i, p in enumerate(bands[:j]) if any(x == y for x, y in zip(p, q))}


OTHER_WORDS = {
    "shingles by zip": ("shingle", shingle_by_zip),
    "a signature by loops": ("minhash_signature", signature_by_loops),
    "a signature, turned": ("minhash_signature", signature_by_outer),
    "bands by strips": ("choose_bands", bands_by_strips),
    "pairs by bytes": ("candidate_pairs", pairs_of_equal_bytes),
    "pairs without buckets": ("candidate_pairs", pairs_in_a_list),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert all(check(answer, name, seed=seed) for seed in range(5))


def test_numpys_own_ints_are_told_to_become_ints():
    def candidate_pairs(signatures, b, r):
        return {(np.int64(i), np.int64(j)) for i, j in pairs_of_equal_bytes(signatures, b, r)}

    assert "holds a int64 of NumPy; take int(...) of it" in check(candidate_pairs).report


def test_borrowing_the_librarys_parts_is_seen():
    def candidate_pairs(signatures, b, r):
        return {pair for rows in lsh.buckets(signatures, b, r) for pair in itertools.combinations(rows, 2)}

    assert "write it yourself: minqwen.data.lsh.buckets" in check(candidate_pairs).report


def test_the_examples_of_the_statements_hold():
    assert minhash.shingle("to be or not", 3) == {"to be or", "be or not"} and minhash.shingle("to be", 3) == {"to be"}
    assert lsh.choose_bands(0.5, 128) == (25, 5)
    rows = np.array([[1, 2, 3, 4], [1, 2, 9, 9], [5, 2, 3, 4]], np.uint32)
    assert lsh.candidate_pairs(rows, 2, 2) == {(0, 1), (0, 2)}


def test_the_error_of_the_usual_number_of_permutations_is_as_stated():
    error = (0.25 / 128) ** 0.5
    assert error == pytest.approx(0.044, abs=5e-4)
    assert EXERCISES["07_how_many"].answer == pytest.approx(400)


def test_deduplication_runs_on_the_solutions():
    texts = [
        "the quick brown fox jumps over the lazy dog",
        "a page of its own",
        "The quick brown fox jumps over the lazy dog!",
    ]
    before = dedup.deduplicate(texts)
    with using(solved("shingle")["shingle"]), using(solved("choose_bands")["choose_bands"]):
        assert dedup.deduplicate(texts) == before


def test_signatures_and_pairs_of_the_solutions_lead_to_the_same_clusters():
    texts = [f"{start} and so on with twelve more words that are the same on every page" for start in "abab"]
    p = minhash.random_permutations(64)
    with using(solved("minhash_signature")["minhash_signature"]):
        signatures = np.stack([minhash.minhash_signature(minhash.shingle(text, 5), p) for text in texts])
    with using(solved("candidate_pairs")["candidate_pairs"]):
        pairs = lsh.candidate_pairs(signatures, 32, 2)
    assert clusters.clusters(4, [pair for pair in pairs if texts[pair[0]] == texts[pair[1]]]) == [0, 1, 0, 1]
