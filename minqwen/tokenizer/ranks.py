"""Vocabularies as files in tiktoken's format: on each line a byte string in base64, a blank, and its rank.

The format of `tiktoken.load`, https://github.com/openai/tiktoken. Ranks double as ids and as the order of merging.
"""

import base64
from collections.abc import Mapping


def parse_ranks(text: str) -> dict[bytes, int]:
    """Byte string -> rank, from the lines of a file."""
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


def format_ranks(ranks: Mapping[bytes, int]) -> str:
    """The lines of the file, in the order of the mapping."""
    return "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items())


def free_ids(ranks: Mapping[bytes, int], n: int) -> list[int]:
    """The n ids that the ranks leave free for control tokens; ValueError unless all ids together have no gap.

    All 256 bytes must be there, so that every text has ids and every id a token.
    """
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(f"the vocabulary lacks the bytes {missing[:5]}...; a byte-level one begins with all 256")
    taken, size = set(ranks.values()), len(ranks) + n
    free = [i for i in range(size) if i not in taken]
    if len(free) != n or (free and free[-1] - free[0] >= n):
        raise ValueError(
            f"ranks must be 0 to {len(ranks) - 1}, each once (or leave one gap, of {n}, to the control tokens); "
            "number the tokens without gaps"
        )
    return free
