"""The table of scores, queries by keys, cut into tiles: which of them a mask leaves, and what it hides inside one.

Dao et al. 2022, "FlashAttention" (arXiv:2205.14135), sections 3.1 and 3.3: a tile that is hidden as a whole is skipped.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor


class Grid(NamedTuple):
    """T queries by S keys in tiles of `block_q` by `block_k`; the last of a row or column may be smaller.

    `causal`: query t sees key s ≤ t + S − T. With a `window`, only the last so many of those.
    """

    T: int
    S: int
    causal: bool
    window: int | None
    block_q: int
    block_k: int

    def rows(self) -> Iterator[slice]:
        """The queries, so many at a time."""
        for start in range(0, self.T, self.block_q):
            yield slice(start, min(start + self.block_q, self.T))

    def keys(self, rows: slice) -> Iterator[slice]:
        """The keys that some query of these rows sees, so many at a time."""
        ahead = self.S - self.T
        stop = min(max(rows.stop + ahead, 0), self.S) if self.causal else self.S
        first = max(rows.start + ahead + 1 - self.window, 0) if self.window else 0
        for start in range(first, stop, self.block_k):
            yield slice(start, min(start + self.block_k, stop))

    def mask(self, rows: slice, keys: slice) -> Bool[Tensor, "t s"] | None:
        """True where a query of the tile sees a key; None where every query sees every key."""
        ahead = self.S - self.T
        cut_above = self.causal and keys.stop - 1 > rows.start + ahead
        cut_below = self.window is not None and keys.start <= rows.stop - 1 + ahead - self.window
        if not (cut_above or cut_below):
            return None
        last, key = torch.arange(rows.start, rows.stop)[:, None] + ahead, torch.arange(keys.start, keys.stop)
        return (key <= last) & (key > last - self.window) if self.window else key <= last


def grid(T: int, S: int, causal: bool, window: int | None, block_q: int, block_k: int) -> Grid:
    """A `Grid` whose numbers make sense."""
    for name, size in (("block_q", block_q), ("block_k", block_k)):
        if size < 1:
            raise ValueError(f"{name}={size}, but a tile holds one position or more; 512 suits every length")
    if window is not None and window < 1:
        raise ValueError(f"window={window} hides every key, a token's own too; use 1 or more, or None for no limit")
    if window is not None and not causal:
        raise ValueError("a window counts back from a query's own position; use it with causal=True")
    return Grid(T, S, causal, window, block_q, block_k)
