"""Documents joined and cut into windows of one length, and windows drawn into batches in an order that can be resumed.

Qwen Technical Report (arXiv:2309.16609), section 2.4: "shuffle and merge the documents, and then truncate them to the
specified context lengths".
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor


def pack(documents: Sequence[Sequence[int]], separator: int, length: int) -> Int[Tensor, "N L"]:
    """All documents in one row, `separator` before each, cut into windows of `length`; the ragged end is dropped."""
    row = [token for document in documents for token in (separator, *document)]
    windows = len(row) // length
    if windows == 0:
        raise ValueError(
            f"{len(row)} tokens do not fill one window of {length}; use length={max(len(row), 1)} or more text"
        )
    return torch.tensor(row[: windows * length]).view(windows, length)


class Batches(Iterator):
    """Batches without end; every window once an epoch, in a new order each. `state` is where it stands."""

    def __init__(self, windows: Int[Tensor, "N L"], batch_size: int, generator: torch.Generator):
        self.windows, self.size, self.generator = windows, min(batch_size, len(windows)), generator
        self.epoch, self.position = -1, len(windows)  # so that the first batch begins an epoch

    def __next__(self) -> Int[Tensor, "B L"]:
        if self.position + self.size > len(self.windows):
            self._begin_epoch(self.epoch + 1)
        rows = self.rows
        self.position += self.size
        return self.windows[rows]

    def _begin_epoch(self, epoch: int) -> None:
        self.drawn_from = self.generator.get_state()
        self.order = torch.randperm(len(self.windows), generator=self.generator)
        self.epoch, self.position = epoch, 0

    @property
    def rows(self) -> Int[Tensor, " B"]:
        """Which windows the next batch of this epoch holds."""
        return self.order[self.position : self.position + self.size]

    @property
    def described(self) -> str:
        """The batch that was given last, in words."""
        rows = self.order[self.position - self.size : self.position].tolist()
        return f"windows {', '.join(map(str, rows))}, number {self.position // self.size} of epoch {self.epoch + 1}"

    def state(self) -> dict[str, Any]:
        """Epoch, position in it, and the state of the generator from which its order was drawn."""
        return {"epoch": self.epoch, "position": self.position, "drawn_from": self.drawn_from}

    def resume(self, state: dict[str, Any]) -> None:
        """Stand where another Batches of the same windows stood when it gave this state."""
        self.generator.set_state(state["drawn_from"])
        self._begin_epoch(state["epoch"])
        self.position = state["position"]


def shuffled_batches(windows: Int[Tensor, "N L"], batch_size: int, generator: torch.Generator) -> Batches:
    """Batches without end; every window once an epoch, in a new order each."""
    return Batches(windows, batch_size, generator)
