"""MinHash: a short signature of a set, from which its overlap with another set can be estimated.

Broder 1997, "On the resemblance and containment of documents" (https://doi.org/10.1109/SEQUEN.1997.666900): for a
random permutation π, P[min π(A) = min π(B)] = |A ∩ B| / |A ∪ B|, the Jaccard similarity of A and B.

The two families of permutations are those of datasketch 2.0 (https://github.com/ekzhu/datasketch), so signatures can
be exchanged with it. Both are proven to be universal only, not min-wise independent: that they estimate without bias is
measured, not proven.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import xxhash
from jaxtyping import Float, UInt, UInt32

UNITS = ("mixed", "word", "character")
# Chinese characters and kana, which stand without blanks between words. As ranges, for `re` is faster than `regex`.
UNSPACED = (
    r"\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9d\U00016fe3-\U00016ff6\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
MIXED = re.compile(f"[{UNSPACED}]|[^ {UNSPACED}]+")
LARGEST = 2**32 - 1
MERSENNE = 2**61 - 1
AT_ONCE, PRODUCTS = 2**15, 2**17  # hashes, and products, in one step: so many stay in a core's cache


class Permutations(NamedTuple):
    """x → a·x + b mod 2³² with odd a, if they are uint32; ((a·x + b mod 2⁶⁴) mod 2⁶¹ - 1) mod 2³², if uint64."""

    a: UInt[np.ndarray, " K"]
    b: UInt[np.ndarray, " K"]


def tokens(text: str, unit: str = "mixed") -> list[str]:
    """Words between blanks; characters; or, mixed, words in which each Chinese character is a word of its own."""
    if unit not in UNITS:
        raise ValueError(f"unit={unit!r} is none that shingles are made of; choose one of {', '.join(UNITS)}")
    words = text.split()
    if unit == "mixed" and not text.isascii():
        return MIXED.findall(" ".join(words))
    return list("".join(words)) if unit == "character" else words


def shingle(text: str, n: int, unit: str = "mixed") -> set[str]:
    """All runs of n tokens, joined by blanks. A shorter text is one shingle; a text without a token has none."""
    _check_length(n)
    parts = tokens(text, unit)
    return {" ".join(parts[i : i + n]) for i in range(max(1, len(parts) - n + 1))} if parts else set()


def hash_shingles(shingles: Collection[str]) -> UInt32[np.ndarray, " N"]:
    """XXH32 of each shingle's UTF-8 bytes; half a surrogate pair counts as the three bytes that it would have."""
    try:
        encoded = [*map(str.encode, shingles)]
    except UnicodeEncodeError:
        encoded = [each.encode("utf-8", "surrogatepass") for each in shingles]
    return _xxh32(encoded)


def hash_text(text: str, n: int, unit: str = "mixed") -> UInt32[np.ndarray, " N"]:
    """hash_shingles(shingle(text, n, unit)), repeats included, without building the shingles as strings.

    A run of tokens is a slice of the encoded text, so that only its ends have to be found: at the blanks.
    """
    _check_length(n)
    joined = " ".join(tokens(text, unit)).encode("utf-8", "surrogatepass")
    if not joined:
        return np.empty(0, np.uint32)
    blanks = np.flatnonzero(np.frombuffer(joined, np.uint8) == ord(" "))
    starts, ends = [0, *(blanks + 1).tolist()], [*blanks.tolist(), len(joined)]
    return _xxh32([joined[start:end] for start, end in zip(starts, ends[n - 1 :] or ends[-1:])])


def random_permutations(num_perm: int = 128, seed: int = 1, scheme: str = "affine32") -> Permutations:
    """Those that datasketch draws for the same seed and scheme, "affine32" or "legacy"."""
    if num_perm < 1:
        raise ValueError(f"num_perm={num_perm} makes no signature; ask for 1 or more (128 is usual)")
    random = np.random.RandomState(seed)  # its stream is frozen, and default_rng's is not: signatures outlive a NumPy
    if scheme == "affine32":
        half = random.randint(0, 2**31, num_perm, dtype=np.uint32)
        return Permutations(2 * half + np.uint32(1), random.randint(0, 2**32, num_perm, dtype=np.uint32))
    if scheme == "legacy":
        drawn = [random.randint(low, MERSENNE, dtype=np.uint64) for _ in range(num_perm) for low in (1, 0)]
        return Permutations(np.array(drawn[0::2]), np.array(drawn[1::2]))
    raise ValueError(f"scheme={scheme!r} is no family of permutations; choose 'affine32' or 'legacy'")


def mix(x: UInt32[np.ndarray, " N"]) -> UInt32[np.ndarray, " N"]:
    """Spread close numbers over all 2³²: the finalizer of MurmurHash3, a bijection."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(16))


def minhash_signature(shingles: Collection[str], permutations: Permutations) -> UInt32[np.ndarray, " K"]:
    """min π_k(hash(x)) over the shingles x, for each permutation π_k."""
    return signatures([hash_shingles(shingles)], permutations)[0]


def signatures(hashed: Sequence[UInt32[np.ndarray, " _"]], permutations: Permutations) -> UInt32[np.ndarray, "N K"]:
    """The signatures of many sets, given as the hashes of their members.

    The sets are laid end to end: a NumPy call costs as much as some hundred products, so it has to do many.
    """
    lengths = np.array([len(each) for each in hashed], dtype=np.int64)
    if not lengths.all():
        raise ValueError(
            f"set {lengths.argmin()} is empty and has no minimum; leave empty texts out, or all of them look alike"
        )
    K = len(permutations.a)
    least = np.full((K, len(lengths)), LARGEST, np.uint32)
    ends = lengths.cumsum()
    flat = np.concatenate(hashed) if len(hashed) else np.empty(0, np.uint32)
    if permutations.a.dtype == np.uint32:
        flat = mix(flat)
    for at in range(0, len(flat), AT_ONCE):
        part = flat[at : at + AT_ONCE]
        first, last = np.searchsorted(ends, [at, at + len(part) - 1], side="right")
        starts = np.concatenate(([0], ends[first:last] - at))
        height = max(1, PRODUCTS // len(part))
        for k in range(0, K, height):
            permuted = _permute(part, permutations.a[k : k + height, None], permutations.b[k : k + height, None])
            place = least[k : k + height, first : last + 1]
            np.minimum(place, np.minimum.reduceat(permuted, starts, axis=1), out=place)
    return np.ascontiguousarray(least.T)


def estimate_jaccard(a: UInt32[np.ndarray, "*n K"], b: UInt32[np.ndarray, "*n K"]) -> Float[np.ndarray, "*n"] | float:
    """The share of equal entries: its mean is J, its standard error √(J (1 - J) / K)."""
    return np.mean(a == b, axis=-1)


def _check_length(n: int) -> None:
    if n < 1:
        raise ValueError(f"n={n} is no length of a shingle; 5 words are usual, and 1 or more are possible")


def _xxh32(encoded: list[bytes]) -> UInt32[np.ndarray, " N"]:
    # One buffer of digests is read in half the time that an array of Python's ints takes.
    return np.frombuffer(b"".join(map(xxhash.xxh32_digest, encoded)), ">u4").astype(np.uint32)


def _permute(
    x: UInt32[np.ndarray, " N"], a: UInt[np.ndarray, "K 1"], b: UInt[np.ndarray, "K 1"]
) -> UInt32[np.ndarray, "K N"]:
    moved = a * x  # the overflow is the modulo
    moved += b
    if moved.dtype == np.uint32:
        return moved
    # mod 2⁶¹ - 1 without a division: 2⁶¹ counts as 1, so the high bits are added to the low ones
    moved = (moved & np.uint64(MERSENNE)) + (moved >> np.uint64(61))
    moved[moved >= MERSENNE] -= np.uint64(MERSENNE)
    return (moved & np.uint64(LARGEST)).astype(np.uint32)
