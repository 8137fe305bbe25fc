"""Union-find: which things belong together when some pairs do.

Tarjan 1975, "Efficiency of a Good But Not Linear Set Union Algorithm" (https://doi.org/10.1145/321879.321884). The root
of a cluster is its smallest member, so that the result does not depend on the order of the pairs.
"""

from collections.abc import Callable, Iterable, Sequence


class UnionFind:
    """n things, each at first a cluster of its own."""

    def __init__(self, n: int):
        self.parent = list(range(n))

    def find(self, i: int) -> int:
        """The smallest member of i's cluster."""
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]  # halves the way for the next who asks
            i = self.parent[i]
        return i

    def union(self, i: int, j: int) -> None:
        """Make one cluster of i's and j's."""
        i, j = self.find(i), self.find(j)
        self.parent[max(i, j)] = min(i, j)


def clusters(n: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of n things the smallest member of its cluster: what chains of pairs lead to."""
    found = UnionFind(n)
    for i, j in pairs:
        found.union(i, j)
    return [found.find(i) for i in range(n)]


def chains(n: int, buckets: Iterable[Sequence[int]], alike: Callable[[int, int], bool]) -> list[int]:
    """`clusters` of all pairs that share a bucket and are alike, without looking at each.

    All are compared with the first of a bucket. While some are of other clusters, all with the second, and so on: k
    copies cost k - 1 comparisons, not k (k - 1) / 2.
    """
    found = UnionFind(n)
    for bucket in buckets:
        waiting = sorted(bucket)
        while len({found.find(i) for i in waiting}) > 1:
            first, *waiting = waiting
            for other in waiting:
                if found.find(first) != found.find(other) and alike(first, other):
                    found.union(first, other)
    return [found.find(i) for i in range(n)]


def stars(roots: Sequence[int], alike: Callable[[int, int], bool]) -> list[int]:
    """Clusters cut up so that each member is like the first of its own: the first takes those like it, and so on."""
    members: dict[int, list[int]] = {}
    for i, root in enumerate(roots):
        members.setdefault(root, []).append(i)
    centres = list(range(len(roots)))
    for waiting in members.values():
        while waiting:
            centre, *others = waiting
            like = {i for i in others if alike(centre, i)}
            for i in like:
                centres[i] = centre
            waiting = [i for i in others if i not in like]
    return centres
