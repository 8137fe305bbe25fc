"""Oracles: all pairs by brute force, the formula as a product, datasketch's search with scipy's integrals."""

import math
from itertools import combinations

import numpy as np
import pytest
from datasketch.lsh import _optimal_param
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minqwen.data import lsh, minhash


@pytest.mark.parametrize(("s", "b", "r"), [(0.5, 3, 2), (0.8, 14, 9), (0.0, 5, 3), (1.0, 5, 3), (0.3, 1, 1)])
def test_a_collision_is_the_opposite_of_missing_in_every_band(s, b, r):
    assert lsh.collision_probability(s, b, r) == pytest.approx(1 - math.prod([1 - math.prod([s] * r)] * b))


def test_the_curve_rises_around_its_threshold():
    s = np.linspace(0, 1, 101)
    curve = lsh.collision_probability(s, 14, 8)
    assert (np.diff(curve) >= 0).all() and curve[0] == 0 and curve[-1] == 1
    assert lsh.collision_probability((1 / 14) ** (1 / 8), 14, 8) == pytest.approx(1 - 1 / math.e, abs=0.02)


REFERENCE = {
    (0.5, 128): (25, 5),
    (0.7, 128): (14, 9),
    (0.8, 128): (9, 13),
    (0.9, 128): (5, 25),
    (0.7, 240): (24, 10),
    (0.7, 256): (25, 10),
    (0.8, 256): (17, 15),
}


@pytest.mark.parametrize(("asked", "bands"), REFERENCE.items(), ids=str)
def test_bands_equal_those_of_the_field(asked, bands):
    """What datasketch 2.0 and text-dedup choose for these thresholds and numbers of permutations."""
    assert lsh.choose_bands(*asked) == bands


@pytest.mark.parametrize("weight", [0.5, 0.1, 0.9])
@pytest.mark.parametrize("threshold", [0.15, 0.4, 0.65, 0.93])
def test_bands_equal_those_of_datasketch(threshold, weight):
    assert lsh.choose_bands(threshold, 23, weight) == _optimal_param(threshold, 23, weight, 1 - weight)


def test_caring_only_for_one_kind_of_error_gives_the_most_and_the_least_cautious_bands():
    assert lsh.choose_bands(0.7, 32, fp_weight=1.0) == (1, 32)
    assert lsh.choose_bands(0.7, 32, fp_weight=0.0) == (32, 1)


signatures = st.integers(0, 9).flatmap(lambda n: arrays(np.uint32, (n, 12), elements=st.integers(0, 2)))


@settings(deadline=None)
@given(signatures, st.sampled_from([(1, 12), (2, 6), (3, 4), (4, 3), (5, 2), (12, 1), (2, 3)]))
def test_candidates_are_the_pairs_that_agree_on_a_whole_band(signatures, bands):
    b, r = bands
    rows = signatures.tolist()
    expected = {
        (i, j)
        for i, j in combinations(range(len(rows)), 2)
        if any(rows[i][k * r : k * r + r] == rows[j][k * r : k * r + r] for k in range(b))
    }
    assert lsh.candidate_pairs(signatures, b, r) == expected
    assert {pair for rows in lsh.buckets(signatures, b, r) for pair in combinations(rows, 2)} == expected


def test_a_bucket_is_given_once_a_band_however_many_pairs_it_holds():
    many = np.zeros((5000, 8), np.uint32)  # 12,497,500 pairs in each band
    assert [len(rows) for rows in lsh.buckets(many, 4, 2)] == [5000] * 4


@pytest.mark.parametrize("s", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize(("b", "r"), [(14, 9), (25, 5), (9, 13)])
def test_recall_follows_the_curve(s, b, r):
    random, n, union = np.random.default_rng(11), 2000, 200
    sets = []
    for _ in range(n):
        hashes = random.integers(0, 2**32, union, dtype=np.uint32)
        only = round(union * (1 - s) / 2)
        sets += [hashes[only:], hashes[: union - only]]  # exactly s, for all these s
    found = 0
    for part in range(5):  # each with permutations of its own, so that the pairs are nearly independent
        some = sets[part * 800 : part * 800 + 800]
        pairs = lsh.candidate_pairs(minhash.signatures(some, minhash.random_permutations(128, part)), b, r)
        found += sum((i, i + 1) in pairs for i in range(0, 800, 2))
    p = lsh.collision_probability(s, b, r)
    assert abs(found - n * p) <= 4 * math.sqrt(n * p * (1 - p)) + 1


@pytest.mark.parametrize(
    ("function", "way_out"),
    [
        pytest.param(lambda: lsh.choose_bands(1.0, 128), "between 0 and 1, such as 0.7", id="only copies"),
        pytest.param(lambda: lsh.choose_bands(0.0, 128), "between 0 and 1, such as 0.7", id="everything"),
        pytest.param(lambda: lsh.choose_bands(0.7, 0), "must be 1 or more", id="no permutations"),
        pytest.param(lambda: lsh.choose_bands(0.7, 9, 1.5), "between 0 and 1", id="no weight"),
        pytest.param(
            lambda: lsh.candidate_pairs(np.zeros((2, 12), np.uint32), 5, 3), "ask choose_bands", id="too many bands"
        ),
        pytest.param(
            lambda: lsh.candidate_pairs(np.zeros((2, 12), np.uint32), 0, 3), "ask choose_bands", id="no bands"
        ),
    ],
)
def test_bad_input_is_told_the_way_out(function, way_out):
    with pytest.raises(ValueError, match=way_out):
        function()
