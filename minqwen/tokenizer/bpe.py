"""Training byte-pair encoding: merge the commonest adjacent pair, count again, repeat.

Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units" (arXiv:1508.07909), algorithm 1,
on UTF-8 bytes (Radford et al. 2019, section 2.2). Counts are kept up to date instead of taken anew: a merge changes
only the words that hold the pair.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from minqwen.tokenizer import pretokenize, tokenizer

Pair = tuple[int, int]


def count_pairs(words: Mapping[tuple[int, ...], int]) -> Counter[Pair]:
    """Σ over words of (times the word occurs) × (times the pair stands in it); overlapping pairs all count."""
    counts: Counter[Pair] = Counter()
    for ids, times in words.items():
        for pair in pairwise(ids):
            counts[pair] += times
    return counts


def merge_pair(ids: Sequence[int], pair: Pair, new_id: int) -> list[int]:
    """Every occurrence of the pair becomes `new_id`, from left to right: aaa -> Xa."""
    merged: list[int] = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def learn_merges(words: Mapping[tuple[int, ...], int], n_merges: int, tie: str = "lexmax") -> list[Pair]:
    """The pairs in the order in which they are merged; token 256 + i is the i-th of them.

    Among equally common pairs, "lexmax" takes the greatest pair of byte strings and "lowest_id" the smallest ids.
    """
    if tie not in ("lexmax", "lowest_id"):
        raise ValueError(f"tie={tie!r} is no rule; choose 'lexmax' or 'lowest_id'")
    table, times = [list(ids) for ids in words], list(words.values())
    counts = count_pairs(words)
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # the words that hold a pair, or once did
    for place, ids in enumerate(table):
        for pair in pairwise(ids):
            places[pair].add(place)

    tokens = [bytes([byte]) for byte in range(256)]
    order = [_descending(token) if tie == "lexmax" else i for i, token in enumerate(tokens)]
    heap = [(-count, order[pair[0]], order[pair[1]], pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while len(merges) < n_merges:
        if not heap:
            raise ValueError(
                f"no pair is left to merge after {len(merges)} of {n_merges} merges; "
                f"ask for a vocabulary smaller by {n_merges - len(merges)}, or train on more text"
            )
        negative_count, _, _, pair = heapq.heappop(heap)
        if counts[pair] != -negative_count:
            continue  # an old entry: the count has changed since
        new_id = len(tokens)
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        order.append(_descending(tokens[-1]) if tie == "lexmax" else new_id)
        merges.append(pair)
        for changed in _apply_merge(table, times, counts, places, pair, new_id):
            if counts[changed] > 0:
                heapq.heappush(heap, (-counts[changed], order[changed[0]], order[changed[1]], changed))
    return merges


def _apply_merge(
    table: list[list[int]],
    times: list[int],
    counts: Counter[Pair],
    places: defaultdict[Pair, set[int]],
    pair: Pair,
    new_id: int,
) -> set[Pair]:
    """Do `merge_pair` to the words that hold the pair, and return the pairs whose counts have changed."""
    left, right = pair
    changes: defaultdict[Pair, int] = defaultdict(int)
    for place in places.pop(pair):
        ids, n, i = table[place], times[place], 0
        while i + 1 < len(ids):
            if ids[i] == left and ids[i + 1] == right:
                changes[pair] -= n
                if i > 0:
                    before = ids[i - 1]
                    changes[before, left] -= n
                    changes[before, new_id] += n
                    places[before, new_id].add(place)
                if i + 2 < len(ids):
                    after = ids[i + 2]
                    changes[right, after] -= n
                    changes[new_id, after] += n
                    places[new_id, after].add(place)
                ids[i : i + 2] = [new_id]
            i += 1
    for changed, change in changes.items():
        counts[changed] += change
    return {changed for changed, change in changes.items() if change}


def _descending(token: bytes) -> str:
    """A key that sorts byte strings from the greatest to the least; the end of a string counts as least."""
    return "".join(chr(255 - byte) for byte in token) + chr(256)


def train_bpe(text: str, vocab_size: int, tie: str = "lexmax") -> tokenizer.Tokenizer:
    """A tokenizer of 256 bytes, vocab_size - 272 merges and 16 control tokens, in this order."""
    n_merges = vocab_size - 256 - len(tokenizer.CONTROL_TOKENS)
    if n_merges < 0:
        raise ValueError(
            f"vocab_size={vocab_size} has no room for 256 bytes and {len(tokenizer.CONTROL_TOKENS)} control tokens; "
            f"ask for {256 + len(tokenizer.CONTROL_TOKENS)} or more"
        )
    words = Counter(pretokenize.split_words(pretokenize.normalize(text)))
    merges = learn_merges({tuple(pretokenize.utf8(word)): times for word, times in words.items()}, n_merges, tie)
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return tokenizer.Tokenizer({token: rank for rank, token in enumerate(tokens)})
