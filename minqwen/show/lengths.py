"""How well a model reads on at lengths that it was not trained on: Table 3 of the report, in miniature.

Qwen Technical Report (arXiv:2309.16609), section 2.6. The report does not say how it cut its texts; here every length
predicts the very same tokens, so that lengths differ by what may be read before them and by nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from minqwen.data import corpus
from minqwen.model import LongContext, Qwen, QwenConfig, long_context
from minqwen.tokenizer import Tokenizer

TIMES = (0.5, 1, 2, 4, 8)  # of the trained length
PLAYS = ("Measure for Measure", "Timon of Athens")  # held out; the third held-out work is a short poem
READ_AT_ONCE = 2048  # tokens of one forward pass, so that every length needs the same memory for its logits


class Nats(NamedTuple):
    """Mean −ln p a token: over all positions, and over the last ones of the text, those furthest from its beginning."""

    everywhere: float
    at_the_end: float


def settings(config: QwenConfig) -> dict[str, LongContext]:
    """The rows of Table 3 for a model: one technique more in each, and two that the report does not have."""
    L = config.max_length
    windows = long_context.doubling_windows(config.n_layers, first=L, every=max(config.n_layers // 3, 1))
    return {
        "none": LongContext(),
        "interpolation": LongContext("interpolated"),
        "dynamic NTK": LongContext("ntk"),
        "+ LogN": LongContext("ntk", logn=True),
        "+ window by layer": LongContext("ntk", logn=True, windows=windows),
        "window of L everywhere": LongContext(windows=(L,) * config.n_layers),
    }


def held_out_blocks(tokenizer: Tokenizer, length: int) -> Int[Tensor, "N {length}+1"]:
    """The running text of the held-out plays, without the title that heads each document, cut into blocks."""
    documents = corpus.load("held_out", "en")
    blocks = []
    for play in PLAYS:
        parts = [document.text.partition("\n\n")[2] for document in documents if document.work == play]
        ids = torch.tensor(tokenizer.encode("\n\n".join(parts)))
        blocks.append(ids.unfold(0, length + 1, length))
    return torch.cat(blocks)


def splits(blocks: Int[Tensor, "N K"], n: int) -> list[Int[Tensor, "M K"]]:
    """n parts of equally many neighbouring blocks; what is left over is dropped."""
    if len(blocks) < n:
        raise ValueError(f"{len(blocks)} blocks cannot make {n} parts; ask for fewer, or for shorter blocks")
    return list(blocks[: len(blocks) // n * n].chunk(n))


@torch.no_grad()
def nats(model: Qwen, blocks: Int[Tensor, "N K"], length: int, end: int) -> Nats:
    """The tokens of each block, predicted in windows of `length`; `end` of them count as its end.

    A block holds one token more than it predicts: the first is only read.
    """
    predicted = blocks.shape[1] - 1
    if predicted % length or not 0 < end <= length:
        raise ValueError(
            f"blocks of {predicted} predicted tokens do not split into windows of {length} with an end of {end}; "
            f"use a length that divides {predicted}, and an end of at most {length}"
        )
    windows = blocks[:, :-1].reshape(-1, length), blocks[:, 1:].reshape(-1, length)
    rows = max(READ_AT_ONCE // length, 1)
    each = [_each(model, *pair) for pair in zip(*(part.split(rows) for part in windows))]
    costs = torch.cat(each).view(len(blocks), predicted)
    return Nats(costs.mean().item(), costs[:, -end:].mean().item())


def _each(model: Qwen, ids: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(model(ids).flatten(0, 1), targets.flatten(), reduction="none")


def by_length(
    model: Qwen, blocks: Int[Tensor, "N K"], lengths: Sequence[int], rows: Mapping[str, LongContext]
) -> dict[str, list[Nats]]:
    """`nats` of each row of settings at each length; the end is half of the trained length. The model keeps its own."""
    before, end = model.long_context, model.config.max_length // 2
    table = {}
    try:
        for name, each in rows.items():
            model.long_context = each
            table[name] = [nats(model, blocks, length, end) for length in lengths]
    finally:
        model.long_context = before
    return table
