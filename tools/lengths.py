"""The tiny Qwen on held-out plays, at lengths from half of its trained one to eight times that, technique by technique.

Qwen Technical Report (arXiv:2309.16609), section 2.6, Table 3. Nothing is trained: a run is a technique on one of the
parts into which the plays are cut, and the parts stand where other experiments have seeds.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from minqwen import assets
from minqwen.model import Qwen
from minqwen.show import lengths
from minqwen.tokenizer import Tokenizer

RECIPE = {"times": list(lengths.TIMES), "plays": list(lengths.PLAYS)}
PARTS = 5
NOTHING = "nothing was written down in advance"
VARIANTS = {
    "none": {"change": "nothing: the model as it was trained", "expected": "at 8L at least 1.3 times its level at L"},
    "interpolation": {"change": "positions divided by length / L", "expected": NOTHING},
    "dynamic NTK": {"change": "a larger base, by chunks of length", "expected": "at 8L less than none"},
    "+ LogN": {"change": "and queries scaled by ln(p + 1) / ln L", "expected": NOTHING},
    "+ window by layer": {
        "change": "and windows of L, L, 2L, 2L, 4L, 4L tokens, from below (a reconstruction)",
        "expected": "at 4L at most 1.15 times its level at L",
    },
    "window of L everywhere": {
        "change": "a window of L tokens in every layer and nothing else",
        "expected": f"{NOTHING}: added after a first look",
    },
}


class Prepared(NamedTuple):
    """The shipped model and the parts of the plays."""

    model: Qwen
    parts: list[Tensor]


def prepare(recipe: Mapping[str, Any]) -> Prepared:
    """Load the model; cut the plays into blocks of the greatest length, and the blocks into parts."""
    model, tokenizer = Qwen.from_pretrained(assets.TINY_QWEN), Tokenizer.from_pretrained(assets.TINY_QWEN)
    longest = int(max(recipe["times"]) * model.config.max_length)
    return Prepared(model, lengths.splits(lengths.held_out_blocks(tokenizer, longest), PARTS))


def measure(variant: str, recipe: Mapping[str, Any], part: int, prepared: Prepared) -> list[dict[str, Any]]:
    """One record: by length in tokens, the mean nats of a token, everywhere and at the end. Step 0: no training."""
    model, blocks = prepared.model, prepared.parts[part]
    tokens = [int(times * model.config.max_length) for times in recipe["times"]]
    row = {variant: lengths.settings(model.config)[variant]}
    found = lengths.by_length(model, blocks, tokens, row)[variant]
    by_length = {str(n): nats._asdict() for n, nats in zip(tokens, found)}
    return [{"step": 0, "predicted": blocks[:, 1:].numel(), "nats": by_length}]
