"""Exercise 7.8, a bucket taken for a cluster. Lee et al. 2022 (arXiv:2107.06499), appendix A."""

from functools import partial
from itertools import combinations

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.data import clusters


def broken(n: int, buckets: list[list[int]], similarity: dict[tuple[int, int], float], threshold: float) -> list[int]:
    """For each of n pages the smallest of its cluster."""
    pairs = []
    for bucket in buckets:
        verified = [pair for pair in combinations(bucket, 2) if similarity[pair] >= threshold]
        if verified:
            pairs += [(bucket[0], other) for other in bucket[1:]]
    return clusters.clusters(n, pairs)


def _walked(n: int, buckets: list[list[int]], similarity: dict[tuple[int, int], float], threshold: float) -> list[int]:
    """Each page takes the smallest number of any page that it is like, again and again until nothing changes."""
    met = {pair for bucket in buckets for pair in combinations(bucket, 2)}
    smallest = list(range(n))
    for _ in range(n):
        for i, j in met:
            if similarity[i, j] >= threshold:
                smallest[i] = smallest[j] = min(smallest[i], smallest[j])
    return smallest


def _case(rng: torch.Generator, n: int, buckets: list[list[int]], alike: set[tuple[int, int]], note: str = "") -> Case:
    """Similarities around a threshold of 0.7: above it for these pairs, and below it for all others."""
    drawn = iter(torch.rand(n * n, generator=rng).tolist())
    pairs = combinations(range(n), 2)
    similarity = {p: round(0.72 + 0.2 * next(drawn) if p in alike else 0.65 * next(drawn), 2) for p in pairs}
    args = {"n": n, "buckets": buckets, "similarity": similarity, "threshold": 0.7}
    return Case(args, _walked(**args), note)


def _two(rng: torch.Generator) -> list[Case]:
    bucket = [[0, 1, 2, 3]]
    return [
        _case(rng, 4, bucket, {(0, 2), (1, 3)}, "one bucket; 0 is like 2, and 1 is like 3"),
        _case(rng, 4, bucket, {(0, 1), (2, 3)}, "one bucket; 0 is like 1, and 2 is like 3"),
    ]


def _stranger(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 3, [[0, 1, 2]], {(1, 2)}, "1 is like 2; page 0 only met them in the bucket")]


def _chain(rng: torch.Generator) -> list[Case]:
    return [
        _case(rng, 3, [[0, 1], [1, 2]], {(0, 1), (1, 2)}, "0 is like 1, and 1 like 2: one cluster"),
        _case(rng, 3, [[1, 2], [0, 1]], {(0, 1), (1, 2)}, "the same, met in the other order"),
    ]


def _edge(rng: torch.Generator) -> list[Case]:
    at = (50 + int(torch.randint(0, 40, (1,), generator=rng))) / 100
    similarity = {(0, 1): 0.3, (0, 2): at - 0.01, (1, 2): at}
    args = {"n": 3, "buckets": [[0, 1, 2]], "similarity": similarity, "threshold": at}
    return [Case(args, _walked(**args), "1 and 2 are exactly at the threshold")]


def _no_pair(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 3, [[0, 1, 2]], set(), "they met, but none is like another")]


def _not_met(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 4, [[0, 1], [2, 3]], {(0, 1), (1, 2)}, "1 is like 2, but no bucket brought them together")]


def _values(rng: torch.Generator) -> list[Case]:
    n, buckets = 7, [[0, 2, 5, 6], [1, 3, 4], [2, 3, 6]]
    met = sorted({pair for bucket in buckets for pair in combinations(bucket, 2)})
    chosen = torch.randperm(len(met), generator=rng)[:4].tolist()
    return [_case(rng, n, buckets, {met[i] for i in chosen})]


_CAUSES = {
    "a": Cause("One verified pair joins its whole bucket, also pages that are like none of the others."),
    "b": Cause(
        "The threshold of 0.7 is too low for pages like these.",
        "whatever the threshold, two pairs above it in one bucket are joined, though their pages are not alike.",
    ),
    "c": Cause(
        "Clusters chain: if A is like B and B like C, then A and C are joined without being alike.",
        "that is what clusters of pairs do, here as well; but 0 and 1 are joined with no chain between them.",
    ),
}

_JOINED = "[(bucket[0], other) for other in bucket[1:]]"
_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="07_one_bucket",
    lesson="07_data_cleaning",
    number="7.8",
    title="Strangers in one bucket",
    broken=broken,
    also_closed=(_walked,),
    mend=(
        ("        if verified:\n", ""),
        (f"    pairs += {_JOINED}", "pairs += verified"),
    ),
    imports="from itertools import combinations\n\nfrom minqwen.data import clusters",
    symptom="""\
alike = {(0, 1): 0.1, (0, 2): 0.9, (0, 3): 0.1, (1, 2): 0.2, (1, 3): 0.8, (2, 3): 0.1}
out = broken(4, [[0, 1, 2, 3]], alike, threshold=0.7)
print("0 and 2 are one cluster, 1 and 3 another: [0, 1, 0, 1], but:", out)""",
    statement=f"""\
A deduplicator checks every candidate pair by its exact similarity, and still throws away pages that are like nothing
else. (This mistake has been found in a widely used tool.)

- There are `n` pages, 0 to n - 1. `buckets` is a list of lists, each in rising order: pages that agreed on a band, and
  so are candidates. `similarity` is a dict: `similarity[i, j]` with i < j is the exact Jaccard similarity.
- Pages are joined if they **met in a bucket and** their similarity is `threshold` or more; and, as with all clusters,
  if a chain of such pairs leads from one to the other.
- The result is a list of n ints: for each page the smallest page of its cluster. `clusters.clusters(n, pairs)` gives
  that for a list of pairs. It works, and is not what is broken.

Write `fixed(n, buckets, similarity, threshold)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A bucket is a guess. What is verified is a pair, and only pairs may be handed on.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "A bucket holds 0, 1, 2, 3, and only 0 and 2 are alike. Which pairs does broken hand on?",
        "From each bucket of k pages come up to k (k - 1) / 2 pairs; what is handed on should be some of these.",
        "for each bucket: for each two pages of it: if they are alike, hand on just these two.",
        "The list of pairs that passed the test exists already, under a name.",
    ),
    causes=_CAUSES,
    cause="a",
    tests=(
        Test("two pairs of one bucket stay two clusters", _two),
        Test("a stranger in a bucket stays alone", _stranger),
        Test("a chain of pairs is one cluster", _chain),
        Test("a pair at the threshold is joined", _edge),
        Test("where none is like another, all stay alone", _no_pair),
        Test("only pages that met are joined", _not_met),
        Test("agrees with walking from page to page", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "only_the_first": _wrong(
            "now only pairs with the first page of a bucket are joined; any two may be alike.",
            ("        if verified:\n", ""),
            (f"    pairs += {_JOINED}", "pairs += [pair for pair in verified if pair[0] == bucket[0]]"),
        ),
        "only_neighbours": _wrong(
            "now only neighbours in a bucket are joined; any two may be alike.",
            ("combinations(bucket, 2)", "zip(bucket, bucket[1:])"),
            ("        if verified:\n", ""),
            (f"    pairs += {_JOINED}", "pairs += verified"),
        ),
        "all_alike": _wrong(
            "now a bucket is joined only if all its pairs are alike; each pair stands for itself.",
            ("if verified:", "if len(verified) == len(bucket) * (len(bucket) - 1) // 2:"),
        ),
        "verified_pages": _wrong(
            "now all pages of a bucket that are like some other are joined; 0 and 2, and 1 and 3, are two pairs.",
            (_JOINED, "[(verified[0][0], page) for pair in verified for page in pair]"),
        ),
        "buckets_unused": _wrong(
            "now all pairs that are alike are joined, met or not; without buckets that means comparing all with all.",
            ("combinations(bucket, 2)", "similarity"),
            ("        if verified:\n", ""),
            (f"    pairs += {_JOINED}", "pairs += verified"),
        ),
        "first_pair_only": _wrong(
            "now of each bucket only the first pair is joined; all that are alike should be.",
            (_JOINED, "verified[:1]"),
        ),
        "above": _wrong(
            "now a pair at the threshold itself is not joined; it reaches it.",
            (">= threshold", "> threshold"),
            ("        if verified:\n", ""),
            (f"    pairs += {_JOINED}", "pairs += verified"),
        ),
    },
)
