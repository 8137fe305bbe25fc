"""Exercise 7.4, a signature. Broder 1997 (https://doi.org/10.1109/SEQUEN.1997.666900)."""

from collections.abc import Collection
from functools import partial

import numpy as np
import torch
from jaxtyping import UInt32

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.data import minhash
from minqwen.data.minhash import Permutations


def _solution(shingles: Collection[str], permutations: Permutations) -> UInt32[np.ndarray, " K"]:
    """The library's, for one set and the permutations mod 2³²."""
    hashes = minhash.mix(minhash.hash_shingles(shingles))
    permuted = permutations.a[:, None] * hashes + permutations.b[:, None]
    return permuted.min(axis=1)


def _whole_numbers(shingles: set[str], permutations: Permutations) -> np.ndarray:
    """The same with Python's whole numbers, which have no end."""
    hashes = minhash.mix(minhash.hash_shingles(sorted(shingles))).tolist()
    pairs = zip(permutations.a.tolist(), permutations.b.tolist())
    return np.array([min((a * x + b) % 2**32 for x in hashes) for a, b in pairs], np.uint32)


def _case(shingles: set[str], permutations: Permutations, note: str = "") -> Case:
    args = {"shingles": shingles, "permutations": permutations}
    return Case(args, _whole_numbers(shingles, permutations), note)


def _drawn(rng: torch.Generator, K: int) -> Permutations:
    return minhash.random_permutations(K, int(torch.randint(0, 10**6, (1,), generator=rng)))


def _set(rng: torch.Generator, n: int) -> set[str]:
    return {f"shingle {i}" for i in torch.randint(0, 10**6, (n,), generator=rng).tolist()}


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(_set(rng, 1), _drawn(rng, 1), "one shingle, one permutation: a · x + b mod 2³²")]


def _unmoved(rng: torch.Generator) -> list[Case]:
    still = Permutations(np.array([1], np.uint32), np.array([0], np.uint32))
    return [_case(_set(rng, 3), still, "a = 1 and b = 0 leave the hashes as they are")]


def _several(rng: torch.Generator) -> list[Case]:
    return [
        _case(_set(rng, 1), _drawn(rng, 3), "each permutation has its own a and b"),
        _case(_set(rng, 2), _drawn(rng, 5)),
    ]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_set(rng, n), _drawn(rng, 13)) for n in (7, 29)]


_PERMUTED = "permutations.a[:, None] * hashes + permutations.b[:, None]"
_wrong = partial(parts.mistake, _solution)

EXERCISE = exercise.Implement(
    name="minhash_signature",
    lesson="07_data_cleaning",
    number="7.4",
    title="A set in a few numbers",
    library=minhash.minhash_signature,
    reference=_solution,
    also_closed=(_whole_numbers, minhash.signatures),
    imports="""\
from collections.abc import Collection

import numpy as np
from jaxtyping import UInt32

from minqwen.data import minhash
from minqwen.data.minhash import Permutations""",
    statement="""\
Write `minhash_signature(shingles, permutations)`: for each of K random permutations of the numbers below 2³², the
**smallest** number that it gives to any shingle of the set.

- `shingles` is a set of strings, not empty. `minhash.mix(minhash.hash_shingles(shingles))` turns it into an array x of
  N numbers, `(N,)`, of type uint32, well spread over 0 to 2³² - 1.
- `permutations` has two arrays of shape `(K,)`, of type uint32: `permutations.a` and `permutations.b`. Permutation k
  takes the number x to **(a_k · x + b_k) mod 2³²**. NumPy's uint32 does that modulo by itself, when it overflows.
- The result is an array of shape `(K,)`, of type uint32: entry k is the minimum over the N shingles, under permutation
  k.

For example, a = (1, 3), b = (0, 5) and x = (7, 2): permutation 0 gives 7 and 2, permutation 1 gives 26 and 11, so the
signature is (2, 11).
""",
    why="Two sets have the same minimum under a random permutation with probability |A ∩ B| / |A ∪ B|.",
    points=3,
    minutes=12,
    difficulty=3,
    hints=(
        "Under one permutation, which single number remains of a set of N? And under K permutations?",
        "x is (N,), a and b are (K,); a table of all products has K rows and N columns; the result is (K,).",
        "hash and mix; for each permutation, multiply all hashes by its a and add its b; take the smallest of each.",
        "a[:, None] has shape (K, 1), and (K, 1) times (N,) is (K, N). Which axis does the minimum go along?",
    ),
    tests=(
        Test("one shingle under one permutation", _one),
        Test("where nothing moves, the smallest hash", _unmoved),
        Test("every permutation has its own a and b", _several),
        Test("agrees with whole numbers that never overflow", _values),
    ),
    wrong_answers={
        "largest": _wrong("these are the largest numbers; take the smallest.", (".min(", ".max(")),
        "not_mixed": _wrong(
            "the hashes are not mixed: minhash.mix is left out.",
            ("minhash.mix(minhash.hash_shingles(shingles))", "minhash.hash_shingles(shingles)"),
        ),
        "not_shifted": _wrong("b is left out.", (" + permutations.b[:, None]", "")),
        "not_multiplied": _wrong("a is left out.", ("permutations.a[:, None] * hashes", "hashes")),
        "exchanged": _wrong(
            "a and b are exchanged.",
            (_PERMUTED, "permutations.b[:, None] * hashes + permutations.a[:, None]"),
        ),
        "one_for_all": _wrong(
            "one permutation is used for every entry; entry k takes a_k and b_k.",
            (
                _PERMUTED,
                "(permutations.a[:1, None] * hashes + permutations.b[:1, None]).repeat(len(permutations.a), 0)",
            ),
        ),
        "smallest_hash_moved": _wrong(
            "the smallest hash decides: it alone is permuted, or the modulo comes after the minimum, as 64 bits do not "
            "overflow; permute all of them in uint32, then take the smallest.",
            (
                "hashes = minhash.mix(minhash.hash_shingles(shingles))",
                "hashes = minhash.mix(minhash.hash_shingles(shingles)).min(keepdims=True)",
            ),
        ),
        "place_of_the_smallest": _wrong(
            "this is the place of the smallest number, by argmin; give the number.",
            (".min(axis=1)", ".argmin(axis=1).astype(np.uint32)"),
        ),
        "sorted": _wrong(
            "the signature is sorted; entry k belongs to permutation k.",
            ("return permuted.min(axis=1)", "return np.sort(permuted.min(axis=1))"),
        ),
        "added_first": _wrong(
            "b is added before the product, a (x + b); it is a x + b.",
            (_PERMUTED, "permutations.a[:, None] * (hashes + permutations.b[:, None])"),
        ),
        "shifted_last": _wrong(
            "b is added to the minimum; the sum goes round at 2³², so add it before you take the smallest.",
            (" + permutations.b[:, None]", ""),
            ("permuted.min(axis=1)", "permuted.min(axis=1) + permutations.b"),
        ),
        "mixed_last": _wrong(
            "the permuted numbers are mixed; mix the hashes, then permute them.",
            ("minhash.mix(minhash.hash_shingles(shingles))", "minhash.hash_shingles(shingles)"),
            ("permuted.min", "minhash.mix(permuted.ravel()).reshape(permuted.shape).min"),
        ),
        "rounded": _wrong(
            "products beyond 2⁵³ are rounded, as floats are; stay with uint32.",
            (_PERMUTED, f"({_PERMUTED.replace('hashes', 'hashes.astype(float)')}) % 2**32"),
            ("permuted.min(axis=1)", "permuted.min(axis=1).astype(np.uint32)"),
        ),
    },
)
