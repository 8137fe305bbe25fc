"""Oracle: the exact Jaccard similarity of every pair. Each trap that other deduplicators fell into is a test."""

import random
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from minqwen.data import clusters, dedup, lsh, minhash, normalize

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmn"]
CHARACTERS = "春眠不觉晓处闻啼鸟夜来风雨声花落知多少床前明月光疑是地上霜举头望低思故乡"


def page(rng: random.Random, chinese: bool = False, length: int = 120) -> list[str]:
    return rng.choices(CHARACTERS if chinese else WORDS, k=length)


def changed(rng: random.Random, tokens: list[str], times: int) -> list[str]:
    """The page with so many of its tokens replaced by new ones, far enough apart that each costs five shingles."""
    copy = list(tokens)
    for i in range(times):
        copy[5 + 11 * i] = f"new{rng.randrange(10**9)}"
    return copy


def text(tokens: list[str]) -> str:
    return "".join(tokens) if tokens[0] in CHARACTERS else " ".join(tokens)


@pytest.fixture(scope="module")
def planted() -> list[str]:
    """Pages in both languages; to some of them copies, near copies, and copies of those, all in random order."""
    rng = random.Random(3)
    pages = []
    for i in range(150):
        original = page(rng, chinese=i % 2 == 1)
        pages.append(original)
        if i % 3 == 0:
            pages += [changed(rng, original, rng.randint(1, 6)) for _ in range(rng.randint(1, 3))]
            pages.append(changed(rng, pages[-1], 2))
    texts = [text(tokens) for tokens in pages]
    texts += [each.upper().replace(" ", ", ") for each in texts[::10]] + ["", "...", "？！"]
    rng.shuffle(texts)
    return texts


def exact(texts: list[str], threshold: float) -> list[int]:
    """For each text the first of its cluster, by comparing all with all."""
    shingled = [minhash.shingle(normalize.normalize_text(each), 5) for each in texts]
    pairs = [
        (i, j) for (i, a), (j, b) in combinations(enumerate(shingled), 2) if a and len(a & b) >= threshold * len(a | b)
    ]
    return clusters.clusters(len(texts), pairs)


def groups(first: list[int]) -> set[tuple[int, int]]:
    """The pairs of texts in one cluster."""
    return {(i, j) for i, j in combinations(range(len(first)), 2) if first[i] == first[j]}


def test_planted_duplicates_are_found_and_no_others(planted):
    expected, found = groups(exact(planted, 0.7)), groups(dedup.deduplicate(planted).first)
    assert len(expected) > 200
    assert found <= expected
    assert len(found) >= 0.97 * len(expected)


def test_with_a_band_for_each_permutation_nothing_is_missed(planted, monkeypatch):
    monkeypatch.setattr(lsh, "choose_bands", lambda threshold, num_perm, weight: (num_perm, 1))
    assert dedup.deduplicate(planted).first == exact(planted, 0.7)


def test_each_cluster_keeps_its_first_text_and_only_that(planted):
    result = dedup.deduplicate(planted)
    assert result.kept == sorted(set(result.first))
    assert all(result.first[i] == i for i in result.kept)
    assert all(root <= i for i, root in enumerate(result.first))


@pytest.mark.parametrize("star", [False, True])
def test_the_similarity_of_each_text_to_the_one_that_stays_is_exact(planted, star):
    result = dedup.deduplicate(planted, star=star)
    shingled = [minhash.shingle(normalize.normalize_text(each), 5) for each in planted]
    for i, root in enumerate(result.first):
        assert result.similarity[i] == (1.0 if i == root else dedup.jaccard(shingled[root], shingled[i]))


def test_the_order_of_the_texts_changes_which_one_stays_but_not_the_clusters(planted):
    order = list(range(len(planted)))
    random.Random(5).shuffle(order)
    turned = dedup.deduplicate([planted[i] for i in order]).first
    pairs = {tuple(sorted((order[i], order[j]))) for i, j in groups(turned)}
    assert pairs == groups(dedup.deduplicate(planted).first)


@pytest.mark.parametrize("batch", [1, 7])
def test_how_many_texts_are_read_at_once_changes_nothing(planted, batch, monkeypatch):
    before = dedup.deduplicate(planted)
    monkeypatch.setattr(dedup, "BATCH", batch)
    assert dedup.deduplicate(planted) == before


def test_a_seed_draws_the_permutations_by_which_pairs_are_found(planted):
    """With two permutations some pairs are missed: those that share no band under the permutations of this seed."""
    numbered = [(i, normalize.normalize_text(each)) for i, each in enumerate(planted)]
    texts = [planted[i] for i, each in numbered if each and each not in [other for _, other in numbered[:i]]]
    shingled = [minhash.shingle(normalize.normalize_text(each), 5) for each in texts]
    bands, found = lsh.choose_bands(0.7, 2, dedup.FP_WEIGHT), set()
    for seed in (1, 2, 3):
        permutations = minhash.random_permutations(2, seed)
        signatures = np.stack([minhash.minhash_signature(each, permutations) for each in shingled])
        alike = [
            pair
            for pair in lsh.candidate_pairs(signatures, *bands)
            if dedup.jaccard(*(shingled[i] for i in pair)) >= 0.7
        ]
        first = dedup.deduplicate(texts, num_perm=2, seed=seed).first
        assert first == clusters.clusters(len(texts), alike)
        found.add(tuple(first))
    assert len(found) > 1


def test_the_same_seed_gives_the_same_result_and_the_first_text_is_no_sentinel(planted):
    assert dedup.deduplicate(planted) == dedup.deduplicate(planted)
    alone = dedup.deduplicate(["the first text has index zero and no copy", *planted])
    assert alone.kept[0] == 0 and alone.first.count(0) == 1


def test_normalisation_comes_before_everything():
    result = dedup.deduplicate(["To be, or not to be.", "TO BE OR\nNOT TO BE", "to  be — or not to be!"])
    assert (result.kept, result.first, result.exact) == ([0], [0, 0, 0], [1, 2])


def drift(steps: int) -> list[str]:
    """Each text is like the one before it, and soon no longer like the first."""
    rng = random.Random(7)
    pages = [page(rng, length=60 * steps)]
    for step in range(1, steps):
        pages.append(page(rng, length=6 * steps) + pages[-1][: -6 * steps])
        assert len(pages[step]) == 60 * steps
    return [text(tokens) for tokens in pages]


def test_chains_drift_and_say_so_and_stars_do_not():
    texts = drift(8)
    chain = dedup.deduplicate(texts)
    assert chain.first == [0] * 8 and min(chain.similarity) < 0.2
    star = dedup.deduplicate(texts, star=True)
    assert min(star.similarity) >= 0.7
    assert 1 < len(star.kept) < 8


@pytest.mark.parametrize("star", [False, True])
def test_pages_without_a_word_are_named_and_do_not_collide(star):
    texts = ["", "full of words, this page is", " \n", "!!!", "\0", "\ufeff", "full of words this page is"]
    result = dedup.deduplicate(texts, star=star)
    assert result.empty == [0, 2, 3, 4, 5]
    assert result.kept == [0, 1, 2, 3, 4, 5] and result.first[6] == 1


def test_the_threshold_itself_is_enough_in_runs_of_the_length_that_was_asked_for():
    result = dedup.deduplicate(["a b c d", "a b c e"], threshold=0.5, n=2)  # ab and bc of ab, bc, cd, ce
    assert (result.first, result.similarity) == ([0, 0], [1.0, 0.5])


def test_short_pages_are_compared_as_a_whole():
    assert dedup.deduplicate(["Buy now", "buy now!", "buy never"]).first == [0, 0, 2]


def test_strange_pages_do_not_stop_the_run():
    texts = ["a" * 10**6, "x\0y " * 50, "bad \ud800 half " * 40, b"\xff\xfe page".decode(errors="replace"), "a" * 10**6]
    assert dedup.deduplicate(texts).first == [0, 1, 2, 3, 0]


def test_no_pages_give_no_result():
    assert dedup.deduplicate([]) == ([], [], [], [], [])
    assert dedup.deduplicate(["", ""]).kept == [0, 1]


def test_texts_are_asked_for_one_at_a_time():
    asked = []

    class OnDisk(Sequence):
        def __len__(self):
            return 300

        def __getitem__(self, i):
            asked.append(i)
            return f"page {i // 2} of a file with words that differ {i // 2}"

    assert len(dedup.deduplicate(OnDisk()).kept) == 150
    assert asked[:300] == list(range(300))


def test_jaccard_is_the_shared_part_of_all():
    assert dedup.jaccard({"a", "b", "c"}, {"b", "c", "d"}) == 0.5
    assert dedup.jaccard(set(), set()) == dedup.jaccard({"a"}, set()) == 0.0


@pytest.mark.parametrize(
    ("call", "way_out"),
    [
        pytest.param(lambda: dedup.deduplicate(["a", b"b"]), "text 1 is of type bytes; decode", id="bytes"),
        pytest.param(lambda: dedup.deduplicate([None]), "text 0 is of type NoneType", id="nothing"),
        pytest.param(lambda: dedup.deduplicate(["a"], threshold=1.5), "between 0 and 1", id="threshold"),
        pytest.param(lambda: dedup.deduplicate(["a"], n=0), "5 words are usual", id="length"),
    ],
)
def test_bad_input_is_told_the_way_out(call, way_out):
    with pytest.raises(ValueError, match=way_out):
        call()
