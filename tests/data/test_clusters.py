"""Oracle: connected components by walking from neighbour to neighbour."""

import sys
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.data import clusters

N = 11
edges = st.sets(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)).filter(lambda pair: pair[0] < pair[1]))
buckets = st.lists(st.sets(st.integers(0, N - 1), min_size=2).map(list), max_size=5)


def components(n: int, pairs: set[tuple[int, int]]) -> list[int]:
    """The smallest thing that each can walk to."""
    reach = [{i} for i in range(n)]
    for _ in range(n):
        reach = [each | {b for a, b in pairs | {(j, i) for i, j in pairs} if a in each} for each in reach]
    return [min(each) for each in reach]


@settings(deadline=None)
@given(edges)
def test_clusters_are_connected_components_named_by_their_smallest(pairs):
    assert clusters.clusters(N, pairs) == components(N, pairs)


@settings(deadline=None)
@given(st.permutations([(0, 5), (5, 3), (7, 8), (8, 9), (3, 9), (10, 2)]))
def test_the_order_of_the_pairs_does_not_matter(pairs):
    assert clusters.clusters(N, pairs) == [0, 1, 2, 0, 4, 0, 6, 0, 0, 0, 2]


@pytest.mark.parametrize("turn", [1, -1])
def test_a_chain_far_deeper_than_pythons_stack_is_walked(turn):
    n = 20 * sys.getrecursionlimit()
    pairs = [(i, i + 1) for i in range(n - 1)][::turn]
    assert clusters.clusters(n, pairs) == [0] * n


@settings(deadline=None)
@given(buckets, edges)
def test_chains_are_the_clusters_of_all_pairs_that_share_a_bucket_and_are_alike(buckets, alike):
    candidates = {tuple(sorted(pair)) for bucket in buckets for pair in combinations(bucket, 2)}
    assert clusters.chains(N, buckets, lambda i, j: (i, j) in alike) == components(N, candidates & alike)


def test_a_bucket_of_copies_costs_one_comparison_a_copy():
    compared = []
    roots = clusters.chains(1000, [list(range(1000))] * 20, lambda i, j: compared.append((i, j)) or True)
    assert roots == [0] * 1000 and len(compared) == 999


def test_one_stranger_in_a_bucket_of_copies_does_not_make_all_pairs_be_compared():
    compared = []
    roots = clusters.chains(100, [list(range(100))], lambda i, j: compared.append((i, j)) or 50 not in (i, j))
    assert [i for i, root in enumerate(roots) if root] == [50]
    assert len(compared) == 99 + 98, "each copy with the first and with the stranger"


def test_members_are_compared_in_their_order_however_a_bucket_lists_them():
    compared = []
    clusters.chains(4, [[3, 1, 2, 0]], lambda i, j: compared.append((i, j)))
    assert all(i < j for i, j in compared) and len(compared) == 6


def test_two_verified_pairs_in_one_bucket_stay_two_clusters():
    verified = {(0, 2), (1, 3)}
    assert clusters.chains(4, [[0, 1, 2, 3]], lambda i, j: (i, j) in verified) == [0, 1, 0, 1]


@settings(deadline=None)
@given(edges)
def test_a_member_of_a_star_is_like_its_centre_and_centres_of_a_cluster_are_unlike(alike):
    roots = components(N, alike)
    centres = clusters.stars(roots, lambda i, j: (i, j) in alike)
    for i, centre in enumerate(centres):
        assert i == centre or (centre, i) in alike
        assert centre <= i and centres[centre] == centre and roots[centre] == roots[i]
    ours = sorted(set(centres))
    assert not [pair for pair in combinations(ours, 2) if pair in alike]
