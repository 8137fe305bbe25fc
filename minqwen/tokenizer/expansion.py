"""More words for a vocabulary that a model has been trained with: its ids stay, new ones come after the last.

The rule of https://github.com/QwenLM/Qwen/blob/main/examples/add_merges.py, for the tokenizer of the Qwen report (Bai
et al. 2023, arXiv:2309.16609, section 2.2). Each new id needs a new row in the model's embedding and output.
"""

from collections.abc import Mapping
from itertools import pairwise

from minqwen.tokenizer import Tokenizer, bpe, encoding, pretokenize


def expand(tokenizer: Tokenizer, words: Mapping[str, int]) -> Tokenizer:
    """The tokenizer with every word (word -> how often it occurs) as one token, and the merges that lead there.

    Again and again the commonest pair of the words becomes a token; among equals the one with fewest characters, then
    fewest bytes, then the first in the order of strings.
    """
    ranks, new_id = dict(tokenizer.ranks), tokenizer.vocab_size
    usable = _usable(words)
    table = {word: encoding.merge_by_rank(word, ranks) for word in usable}
    while table := {word: ids for word, ids in table.items() if len(ids) > 1}:
        tokens = {rank: token for token, rank in ranks.items()}
        counts = bpe.count_pairs({tuple(ids): usable[word] for word, ids in table.items()})
        pair = min(counts, key=lambda pair: (-counts[pair], *_size(tokens[pair[0]] + tokens[pair[1]])))
        ranks[tokens[pair[0]] + tokens[pair[1]]] = new_id
        for word, ids in table.items():
            if pair in pairwise(ids):
                table[word] = encoding.merge_by_rank(word, ranks)
        new_id += 1
    return Tokenizer(ranks, list(tokenizer.control_ids))


def _usable(words: Mapping[str, int]) -> dict[bytes, int]:
    """The words in NFC, as bytes; ValueError for one that the pattern cuts, which can never be a token."""
    usable: dict[bytes, int] = {}
    for word, times in words.items():
        word = pretokenize.normalize(word)
        parts = pretokenize.split_words(word)
        if len(parts) != 1:
            raise ValueError(f"{word!r} is cut into {parts} before merging, so it cannot be a token; leave it out")
        if times < 1:
            raise ValueError(f"{word!r} occurs {times} times; leave it out, or count it once")
        token = pretokenize.utf8(word)
        usable[token] = usable.get(token, 0) + times
    return usable


def _size(token: bytes) -> tuple[int, int, str, bytes]:
    text = token.decode("utf-8", errors="replace")
    return len(text), len(token), text, token
