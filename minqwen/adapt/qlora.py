"""QLoRA: adapters beside matrices of four bits, whose scales are quantised in turn.

Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs" (arXiv:2305.14314), section 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn
from torch.nn import functional as F

from minqwen.adapt import lora, nf4


class DoubleQuantized(NamedTuple):
    """Scales in eight bits: codes from -127 to 127, the step of each block of scales, and the mean of all."""

    codes: Int8[Tensor, " blocks"]
    steps: Float[Tensor, " superblocks"]
    mean: Float[Tensor, ""]


def double_quantize(absmax: Float[Tensor, " blocks"], block: int = 256) -> DoubleQuantized:
    """round((absmax - mean) / step) in whole numbers of eight bits; step = max |absmax - mean| / 127 of each block.

    The paper takes 8-bit floats. Whole numbers are as good here: without their mean, scales have no large tail.
    """
    if block < 1 or not absmax.isfinite().all():
        raise ValueError(f"block={block} must be positive and scales finite; take block=256, and check the weights")
    mean = absmax.mean() if absmax.numel() else absmax.new_zeros(())
    rows = F.pad(absmax - mean, (0, -len(absmax) % block)).reshape(-1, block)
    steps = rows.abs().amax(dim=-1) / 127
    codes = (rows / steps.where(steps > 0, 1.0)[:, None]).reshape(-1)[: len(absmax)].round().to(torch.int8)
    return DoubleQuantized(codes, steps, mean)


def double_dequantize(d: DoubleQuantized, block: int = 256) -> Float[Tensor, " blocks"]:
    """code · step + mean."""
    return d.codes * d.steps.repeat_interleave(block)[: len(d.codes)] + d.mean


class NF4Linear(nn.Module):
    """A frozen linear layer whose weight is kept in four bits and made again whenever it is needed."""

    def __init__(self, linear: nn.Linear, block: int = 64):
        super().__init__()
        self.in_features, self.out_features, self.block = linear.in_features, linear.out_features, block
        self.dtype = linear.weight.dtype
        packed, absmax, shape = nf4.nf4_quantize(linear.weight, block)
        scales = double_quantize(absmax)
        for name, tensor in {"packed": packed, "shape": shape, **scales._asdict()}.items():
            self.register_buffer(name, tensor)
        self.bias = linear.bias

    @property
    def weight(self) -> Float[Tensor, "m n"]:
        """The dequantised weight: a new tensor at each call."""
        absmax = double_dequantize(DoubleQuantized(self.codes, self.steps, self.mean))
        return nf4.nf4_dequantize(nf4.NF4Weight(self.packed, absmax, self.shape), self.block).to(self.dtype)

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        """x Wᵀ + bias."""
        with recomputed(self) as weight:
            return F.linear(x, weight, self.bias)

    @property
    def bits(self) -> float:
        """Bits a weight, scales included."""
        kept = self.packed.nbytes + self.codes.nbytes + self.steps.nbytes + self.mean.nbytes
        return 8 * kept / (self.in_features * self.out_features)


class _Recipe(NamedTuple):
    """How a saved tensor lies in the dequantised weight."""

    size: torch.Size
    stride: tuple[int, ...]
    offset: int


@contextmanager
def recomputed(layer: NF4Linear) -> Iterator[Tensor]:
    """The weight of the layer, which autograd does not keep: the backward pass dequantises again.

    Without this the graph would hold every weight in full, and four bits would save nothing in training.
    """
    weight = layer.weight
    place = weight.untyped_storage().data_ptr()
    # Whoever keeps tensors elsewhere, or counts them, still gets the others; torch, pinned, has no public name for it.
    pack, unpack = torch._C._autograd._top_saved_tensors_default_hooks(False) or (lambda t: t, lambda t: t)

    def keep(saved: Tensor) -> Any:
        is_weight = saved.untyped_storage().data_ptr() == place
        return _Recipe(saved.size(), saved.stride(), saved.storage_offset()) if is_weight else pack(saved)

    def give(kept: Any) -> Tensor:
        return layer.weight.as_strided(*kept) if isinstance(kept, _Recipe) else unpack(kept)

    with torch.autograd.graph.saved_tensors_hooks(keep, give):
        yield weight


class QLoRALinear(lora.LoRALinear):
    """A layer in four bits, and its adapter in the precision of the layer it came from.

    Merging gives one matrix in that precision, made of the same four bits that the adapter was trained beside.
    """

    def __init__(
        self,
        linear: nn.Linear | NF4Linear,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
        block: int = 64,
    ):
        base = linear if isinstance(linear, NF4Linear) else NF4Linear(linear, block)
        super().__init__(base, rank, alpha, dropout, generator)

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        """`lora_forward` on the dequantised weight."""
        if self.unmerged or not self.active:
            return self.base(x)
        with recomputed(self.base) as weight:
            return self.adapted(x, weight)


def add_qlora(
    model: nn.Module,
    pattern: str,
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
    block: int = 64,
) -> list[str]:
    """Quantise every `nn.Linear` in whose name the pattern is found, and put an adapter beside it; their names."""
    names, given = lora.matching(model, pattern), (rank, alpha, dropout, generator, block)
    lora.attach(model, {name: QLoRALinear(model.get_submodule(name), *given) for name in names})
    return names
