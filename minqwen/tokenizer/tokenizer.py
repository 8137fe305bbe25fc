"""The tokenizer: text to ids and back, by merging the adjacent pair whose token has the lowest rank.

Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes. A token's rank is its id and its priority, as in
tiktoken's files: the merge rules need not be stored. Control tokens stand after the ranks and are never read out of
text unless the caller asks: text from a user must not be able to end its own turn (Qwen report, arXiv:2309.16609,
section 3.1.1, on ChatML).
"""

import base64
import heapq
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import regex

from minqwen.tokenizer import pretokenize

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(13)))
RANKS_FILE, CONFIG_FILE = "tokenizer.tiktoken", "tokenizer_config.json"


class Tokenizer:
    """Ranks of byte strings, then control tokens; `control_ids` maps a control token to its id."""

    def __init__(self, ranks: Mapping[bytes, int], control_tokens: Sequence[str] = CONTROL_TOKENS):
        _check_ranks(ranks)
        if len(set(control_tokens)) != len(control_tokens):
            raise ValueError(f"control tokens must differ, not {list(control_tokens)}; drop the doubles")
        self.ranks = dict(ranks)
        self.control_ids = {token: len(ranks) + i for i, token in enumerate(control_tokens)}
        self._tokens = sorted(self.ranks, key=self.ranks.__getitem__)
        self._tokens += [token.encode() for token in control_tokens]

    @property
    def vocab_size(self) -> int:
        """Byte strings and control tokens together."""
        return len(self._tokens)

    def encode(self, text: str, allow_control: bool = False) -> list[int]:
        """NFC, words, bytes, merges; `allow_control` reads <|im_start|> and its like as control tokens."""
        text = pretokenize.normalize(text)
        parts = [text]
        if allow_control and self.control_ids:
            longest_first = sorted(self.control_ids, key=len, reverse=True)
            parts = regex.split(f"({'|'.join(map(regex.escape, longest_first))})", text)
        ids: list[int] = []
        known: dict[str, list[int]] = {}  # a text repeats its words
        for i, part in enumerate(parts):
            if i % 2:  # split() puts what the group matched at the odd places
                ids.append(self.control_ids[part])
                continue
            for word in pretokenize.split_words(part):
                if word not in known:
                    known[word] = merge_by_rank(pretokenize.utf8(word), self.ranks)
                ids += known[word]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The tokens' bytes as UTF-8; a sequence cut inside a character ends in U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The byte string of one token, which need not be a whole character."""
        if not 0 <= token_id < self.vocab_size:
            raise ValueError(
                f"id {token_id} is outside this vocabulary; give ids from 0 to {self.vocab_size - 1}, "
                "or decode with the tokenizer that made them"
            )
        return self._tokens[token_id]

    def token_text(self, token_id: int) -> str:
        r"""One token for people: its text, with bytes that are no whole character as \xe6."""
        return self.token_bytes(token_id).decode("utf-8", errors="backslashreplace")

    def save_pretrained(self, folder: str | Path) -> None:
        """tokenizer.tiktoken: base64(token) rank, a line each; tokenizer_config.json: the control tokens."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in self.ranks.items()]
        config = {"vocab_size": self.vocab_size, "control_tokens": list(self.control_ids)}
        _write(folder / RANKS_FILE, "".join(lines))
        _write(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Tokenizer":
        """The tokenizer that `save_pretrained` wrote."""
        folder = Path(folder)
        for name in (RANKS_FILE, CONFIG_FILE):
            if not (folder / name).is_file():
                raise ValueError(f"{folder} holds no {name}; give the folder that save_pretrained wrote")
        ranks = parse_ranks((folder / RANKS_FILE).read_text(encoding="ascii", errors="replace"))
        vocab_size, control_tokens = _read_config(folder / CONFIG_FILE)
        if vocab_size != len(ranks) + len(control_tokens):
            raise ValueError(
                f"{CONFIG_FILE} says vocab_size={vocab_size}, but {RANKS_FILE} has {len(ranks)} tokens and there are "
                f"{len(control_tokens)} control tokens; fetch both files again from one place"
            )
        return cls(ranks, control_tokens)


def merge_by_rank(word: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """Merge the leftmost pair of lowest rank until none is left: O(n log n), with a heap over a linked list."""
    if word in ranks:
        return [ranks[word]]
    size = len(word)
    end = list(range(1, size + 1))  # end[i]: where the token that starts at i ends; 0 once it is merged away
    start = list(range(-1, size - 1))  # start[i]: where the token before the one at i starts
    heap = [(ranks[word[i : i + 2]], i, i + 2) for i in range(size - 1) if word[i : i + 2] in ranks]
    heapq.heapify(heap)
    while heap:
        _, left, stop = heapq.heappop(heap)
        right = end[left]
        if right in (0, size) or end[right] != stop:
            continue  # one of the two has been merged since
        end[left], end[right] = stop, 0
        if stop < size:
            start[stop] = left
        for first in (start[left], left):  # the merged token with the one before it, and with the one after it
            if first >= 0 and end[first] < size:
                last = end[end[first]]
                if word[first:last] in ranks:
                    heapq.heappush(heap, (ranks[word[first:last]], first, last))
    return [ranks[word[i : end[i]]] for i in range(size) if end[i]]


def parse_ranks(text: str) -> dict[bytes, int]:
    """The lines of a tiktoken file: base64(token), a space, its rank."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            encoded, rank = line.split(" ")
            token = base64.b64decode(encoded, validate=True)
            if not token or token in ranks:
                raise ValueError("an empty or repeated token")
            ranks[token] = int(rank)
        except ValueError as error:
            raise ValueError(
                f"line {number} is {line[:40]!r}, not a new token in base64 and its rank; fetch the file again"
            ) from error
    return ranks


def _read_config(path: Path) -> tuple[int, list[str]]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        vocab_size, control_tokens = int(config["vocab_size"]), list(config["control_tokens"])
        if not all(isinstance(token, str) and token for token in control_tokens):
            raise TypeError("a control token is a string that is not empty")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} must be a JSON object with vocab_size and control_tokens ({error!r}); "
            "write it again with save_pretrained"
        ) from error
    return vocab_size, control_tokens


def _check_ranks(ranks: Mapping[bytes, int]) -> None:
    """All 256 bytes and no gap, so that every text has ids and every id a token."""
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(f"the vocabulary lacks the bytes {missing[:5]}...; a byte-level one begins with all 256")
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError(f"ranks must be 0 to {len(ranks) - 1}, each once; number the tokens without gaps")


def _write(path: Path, text: str) -> None:
    """Aside, then rename: an interrupted save leaves the old file."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(aside, path)
