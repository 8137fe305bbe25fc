"""Text to ids: words, bytes, and then merge the adjacent pair whose token has the lowest rank.

Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes. A token's rank is its id and its priority, as in
tiktoken's files: the merge rules need not be stored.
"""

import heapq
from collections.abc import Mapping

from minqwen.tokenizer import pretokenize


def encode(text: str, ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of each word's bytes after merging, one word after the other."""
    ids: list[int] = []
    known: dict[str, list[int]] = {}  # a text repeats its words
    for word in pretokenize.split_words(text):
        if word not in known:
            known[word] = merge_by_rank(pretokenize.utf8(word), ranks)
        ids += known[word]
    return ids


def merge_by_rank(word: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """Merge the leftmost pair of lowest rank until none is left: O(n log n), with a heap over a linked list."""
    if word in ranks:  # as in tiktoken, even if no merges lead there; to the tokens of a trained vocabulary they do
        return [ranks[word]]
    size = len(word)
    end = list(range(1, size + 1))  # end[i]: where the token that starts at i ends; 0 once it is merged away
    start = list(range(-1, size - 1))  # start[i]: where the token before the one at i starts
    pair_rank = [ranks.get(word[i : i + 2], -1) for i in range(size)]  # of the token at i with the one after it
    pair_rank[-1] = -1  # the last token has none after it
    heap = [rank * size + i for i, rank in enumerate(pair_rank) if rank >= 0]
    heapq.heapify(heap)
    while heap:
        rank, left = divmod(heapq.heappop(heap), size)
        if pair_rank[left] != rank:
            continue  # one of the two has been merged since
        right = end[left]
        stop = end[left] = end[right]
        end[right], pair_rank[right] = 0, -1
        if stop < size:
            start[stop] = left
        for first in (start[left], left):  # the merged token with the one before it, and with the one after it
            if first >= 0:
                after = end[first]
                pair_rank[first] = ranks.get(word[first : end[after]], -1) if after < size else -1
                if pair_rank[first] >= 0:
                    heapq.heappush(heap, pair_rank[first] * size + first)
    return [ranks[word[i : end[i]]] for i in range(size) if end[i]]
