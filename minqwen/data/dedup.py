"""Deduplication: exact copies first, then near-duplicates that MinHash finds and the exact Jaccard similarity confirms.

Qwen report (Bai et al. 2023, arXiv:2309.16609), section 2.1: exact-match deduplication after normalisation, then fuzzy
deduplication with MinHash and LSH. Clusters of verified pairs as in Lee et al. 2022, "Deduplicating Training Data Makes
Language Models Better" (arXiv:2107.06499), section 4.2 and appendix A.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xxhash
from jaxtyping import UInt32

from minqwen.data import clusters, lsh, minhash, normalize

FP_WEIGHT = 0.01  # a false candidate costs one comparison, a missed pair stays in the corpus
BATCH = 128  # texts that are in memory at once


class Deduplicated(NamedTuple):
    """Which texts stay, and for each that goes the one that stands for it and how like that one it is."""

    kept: list[int]  # in order: the first of each cluster, and every text without a token
    first: list[int]  # for each text the one that stands for it; its own index if it is kept
    similarity: list[float]  # exact Jaccard with that one; below the threshold where only a chain leads to it
    exact: list[int]  # texts that normalisation makes equal to an earlier one
    empty: list[int]  # texts without a token: like nothing, so they stay, and are for a filter to name


def jaccard(a: set[str], b: set[str]) -> float:
    """|A ∩ B| / |A ∪ B|; of two empty sets 0, for they have nothing in common."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0


def deduplicate(
    texts: Sequence, threshold: float = 0.7, n: int = 5, num_perm: int = 128, seed: int = 1, star: bool = False
) -> Deduplicated:
    """Clusters of texts joined by pairs with Jaccard ≥ threshold, on runs of n words or Chinese characters.

    Chains join A and C if both are like B; with `star`, each text that goes is itself like the one that stays. `texts`
    is asked for one at a time, so that it may read from a file: what stays in memory is a signature for each.
    """
    bands = lsh.choose_bands(threshold, num_perm, FP_WEIGHT)
    copy_of, empty, signatures = _sign(texts, n, minhash.random_permutations(num_perm, seed))
    single = sorted(set(copy_of) - set(empty))
    pairs = _Pairs(texts, single, threshold, n)
    roots = clusters.chains(len(single), lsh.buckets(signatures, *bands), pairs.are_alike)
    roots = clusters.stars(roots, pairs.are_alike) if star else roots
    stands_for = list(range(len(texts)))
    for i, root in enumerate(roots):
        stands_for[single[i]] = single[root]
    similarity = {single[i]: pairs.similarity(root, i) for i, root in sorted(enumerate(roots), key=lambda p: p[1])}
    first = [stands_for[original] for original in copy_of]
    return Deduplicated(
        kept=[i for i, root in enumerate(first) if root == i],
        first=first,
        similarity=[similarity.get(original, 1.0) for original in copy_of],
        exact=[i for i, original in enumerate(copy_of) if original != i],
        empty=empty,
    )


def _sign(
    texts: Sequence, n: int, permutations: minhash.Permutations
) -> tuple[list[int], list[int], UInt32[np.ndarray, "N K"]]:
    """For each text the first with the same normal form, the texts without a token, the signatures of all others."""
    seen: dict[bytes, int] = {}
    copy_of: list[int] = []
    empty: list[int] = []
    signatures = np.empty((len(texts), len(permutations.a)), np.uint32)
    for at in range(0, len(texts), BATCH):
        hashed = []
        for i in range(at, min(at + BATCH, len(texts))):
            text = _normal(texts, i)
            # Equal 128-bit digests stand for equal texts: among 10⁹ pages one false pair in 10²⁰ corpora.
            copy_of.append(seen.setdefault(xxhash.xxh3_128_digest(text.encode()), i) if text else i)
            if not text:
                empty.append(i)
            elif copy_of[i] == i:
                hashed.append(minhash.hash_text(text, n))
        done = len(seen)
        signatures[done - len(hashed) : done] = minhash.signatures(hashed, permutations)
    return copy_of, empty, signatures[: len(seen)]


def _normal(texts: Sequence, i: int) -> str:
    text = texts[i]
    if not isinstance(text, str):
        raise ValueError(f"text {i} is of type {type(text).__name__}; decode bytes with .decode(errors='replace')")
    return normalize.normalize_text(text)


class _Pairs:
    """Exact similarities of texts[places[i]] and texts[places[j]], with no text shingled again while i is the same."""

    def __init__(self, texts: Sequence, places: list[int], threshold: float, n: int):
        self.texts, self.places, self.threshold, self.n = texts, places, threshold, n
        self.left: tuple[int, set[str]] = (-1, set())
        self.seen: dict[tuple[int, int], float] = {}  # a pair may meet in many bands

    def similarity(self, i: int, j: int) -> float:
        """Exact Jaccard of two of the texts, counted once."""
        if i == j:
            return 1.0
        if (i, j) not in self.seen:
            if self.left[0] != i:
                self.left = (i, self._shingles(i))
            self.seen[i, j] = jaccard(self.left[1], self._shingles(j))
        return self.seen[i, j]

    def are_alike(self, i: int, j: int) -> bool:
        """Whether it reaches the threshold."""
        return self.similarity(i, j) >= self.threshold

    def _shingles(self, i: int) -> set[str]:
        return minhash.shingle(_normal(self.texts, self.places[i]), self.n)
