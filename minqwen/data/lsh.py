"""Locality-sensitive hashing: only sets whose signatures agree on a whole band are compared at all.

Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3rd edition, section 3.4 (http://www.mmds.org). A
signature is cut into b bands of r entries. Two sets of Jaccard similarity s agree on one band with probability s^r, and
on at least one with 1 - (1 - s^r)^b: a curve that rises from 0 to 1 around s = (1/b)^(1/r).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from jaxtyping import Float, UInt32

POINTS = 501  # on each side of the threshold: more give the same bands


def collision_probability(s: Float[np.ndarray, "*n"] | float, b: int, r: int) -> Float[np.ndarray, "*n"] | float:
    """1 - (1 - s^r)^b: how likely it is that sets of similarity s become a candidate pair."""
    return 1 - (1 - s**r) ** b


def choose_bands(threshold: float, num_perm: int, fp_weight: float = 0.5) -> tuple[int, int]:
    """The (b, r) with b·r ≤ num_perm that has the smallest weighted area on the wrong sides of the threshold t:

    w ∫₀ᵗ P(s) ds + (1 - w) ∫ₜ¹ 1 - P(s) ds, with P the collision probability and w = fp_weight. Among equals that with
    the smallest b.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold={threshold} splits nothing; choose one between 0 and 1, such as 0.7")
    if num_perm < 1 or not 0 <= fp_weight <= 1:
        raise ValueError(f"num_perm={num_perm} must be 1 or more, and fp_weight={fp_weight} between 0 and 1")
    below, above = np.linspace(0, threshold, POINTS), np.linspace(threshold, 1, POINTS)
    areas = {}
    for r in range(1, num_perm + 1):
        missed, caught = np.ones(POINTS), 1 - above**r  # (1 - s^r)^b by b products
        left, right = 1 - below**r, np.ones(POINTS)
        for b in range(1, num_perm // r + 1):
            missed, right = missed * left, right * caught
            wrong = np.trapezoid(1 - missed, below), np.trapezoid(right, above)
            areas[b, r] = fp_weight * wrong[0] + (1 - fp_weight) * wrong[1]
    return min(areas, key=lambda pair: (areas[pair], pair))


def buckets(signatures: UInt32[np.ndarray, "N K"], b: int, r: int) -> Iterator[list[int]]:
    """The rows that agree on a whole band, band after band; rows alone in theirs are left out."""
    if b < 1 or r < 1 or b * r > signatures.shape[1]:
        raise ValueError(
            f"b={b} bands of r={r} entries need signatures of {b * r}, and these have {signatures.shape[1]}; "
            "ask choose_bands for a pair that fits"
        )
    for band in range(b):
        part = np.ascontiguousarray(signatures[:, band * r : (band + 1) * r])
        first: dict[bytes, int] = {}
        together: dict[int, list[int]] = {}  # only where a second row comes: most are alone in theirs
        for row, key in enumerate(part.view(f"V{part.itemsize * r}").ravel().tolist()):
            other = first.setdefault(key, row)
            if other != row:
                together.setdefault(other, [other]).append(row)
        yield from together.values()


def candidate_pairs(signatures: UInt32[np.ndarray, "N K"], b: int, r: int) -> set[tuple[int, int]]:
    """The pairs (i, j), i < j, of rows that agree on all r entries of at least one band.

    A bucket of k rows gives k (k - 1) / 2 pairs. Where many pages are alike, go through `buckets` instead.
    """
    return {pair for rows in buckets(signatures, b, r) for pair in combinations(rows, 2)}
