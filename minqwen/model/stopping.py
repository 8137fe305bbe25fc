"""When a row of a batch has said enough: after a token, a sequence of tokens, or a string.

A string may be cut into tokens in several ways and may end inside one, so it is looked for in the decoded text: ReAct
(Yao et al. 2022, arXiv:2210.03629), which the Qwen report uses in section 3.4, hands over to a tool at "Observation:".
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor


class Stops:
    """Reads the new tokens of every row; `stopped` (B,) says which rows have ended."""

    def __init__(
        self,
        batch_size: int,
        stop_ids: Iterable[int | Sequence[int]],
        stop_strings: Collection[str] = (),
        decode: Callable[[list[int]], str] | None = None,
    ):
        if isinstance(stop_strings, str):
            raise ValueError(f'stop_strings is a list of strings; use ["{stop_strings}"]')
        if stop_strings and decode is None:
            raise ValueError("stop_strings are looked for in the text, so give decode=tokenizer.decode as well")
        ends = [[end] if isinstance(end, int) else list(end) for end in stop_ids]
        if not all([*ends, *stop_strings]):
            raise ValueError("an empty stop sequence would end every text before it begins; leave it out")
        self.tokens = torch.tensor([end[0] for end in ends if len(end) == 1], dtype=torch.long)
        self.sequences = [end for end in ends if len(end) > 1]
        self.strings, self.decode = tuple(stop_strings), decode
        self.said: list[list[int]] = [[] for _ in range(batch_size)]
        self.stopped: Bool[Tensor, " B"] = torch.zeros(batch_size, dtype=torch.bool)
        self.any = bool(ends or stop_strings)

    def read(self, new: Int[Tensor, " B"]) -> None:
        """Take in one token a row; rows that have stopped are not read on."""
        if len(self.tokens):
            self.stopped = self.stopped | torch.isin(new, self.tokens)
        if self.sequences or self.strings:
            for row, token in enumerate(new.tolist()):
                if not self.stopped[row]:
                    self.said[row].append(token)
                    self.stopped[row] = self._ends(self.said[row])

    def _ends(self, said: list[int]) -> bool:
        if any(said[-len(end) :] == end for end in self.sequences):
            return True
        if not self.strings:
            return False
        text = self.decode(said)
        return any(string in text for string in self.strings)
