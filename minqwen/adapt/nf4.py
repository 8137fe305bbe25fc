"""NormalFloat: sixteen levels for normally distributed weights, four bits each, and one scale a block.

Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs" (arXiv:2305.14314), section 3. The exact levels
follow the reference code (https://github.com/bitsandbytes-foundation/bitsandbytes), `create_normal_map`.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

# Between 1 - 1/32 and 1 - 1/30, the middles of the outermost of 16 and of 15 equal shares of the normal distribution.
OUTERMOST = 0.9677083


class NF4Weight(NamedTuple):
    """A tensor in four bits: two codes a byte, the first in the high half; the largest |w| of each block; the shape."""

    packed: UInt8[Tensor, " bytes"]
    absmax: Float[Tensor, " blocks"]
    shape: Int[Tensor, " dims"]


def nf4_levels() -> Float[Tensor, " 16"]:
    """Quantiles of the normal distribution, eight above zero and seven below, and zero itself, divided by the largest.

    Q(p) for 8 and for 7 equal steps of p from OUTERMOST towards 1/2: equal shares of the distribution itself, though
    not of blocks, whose largest weight lies further out than Q(OUTERMOST).
    """
    steps = torch.linspace(OUTERMOST, 0.5, 9)[:-1], torch.linspace(OUTERMOST, 0.5, 8)[:-1]
    above, below = ([NormalDist().inv_cdf(p) for p in half.tolist()] for half in steps)
    levels = torch.tensor([*(-q for q in below), 0.0, *above]).sort().values
    return levels / levels.max()


def nf4_quantize(w: Float[Tensor, "*shape"], block: int = 64) -> NF4Weight:
    """For every block of w, in reading order, max |w|; for every w / max |w|, the nearest level, the lower of two.

    The last block may be shorter. A block of zeros has the scale 0, and stays zeros.
    """
    _check(w, block)
    rows = F.pad(w.detach().reshape(-1).float(), (0, -w.numel() % block)).reshape(-1, block)
    absmax = rows.abs().amax(dim=-1)
    levels = nf4_levels()
    middles = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(rows / absmax.where(absmax > 0, 1.0)[:, None], middles, out_int32=True)
    codes = F.pad(codes.reshape(-1)[: w.numel()], (0, w.numel() % 2)).to(torch.uint8).reshape(-1, 2)
    return NF4Weight(codes[:, 0] << 4 | codes[:, 1], absmax, torch.tensor(w.shape))


def nf4_dequantize(q: NF4Weight, block: int = 64) -> Float[Tensor, "*shape"]:
    """level[code] · absmax of the block, in float32."""
    shape = q.shape.tolist()
    n = math.prod(shape)
    if len(q.absmax) != -(-n // block):
        raise ValueError(
            f"{n} weights in blocks of {block} do not have {len(q.absmax)} scales; give the block they had"
        )
    levels = nf4_levels()
    # A byte is looked up once for both its weights: two float32 side by side, moved as one number of 64 bits.
    pairs = torch.stack([levels.repeat_interleave(16), levels.repeat(16)], dim=1).view(torch.float64)[:, 0]
    padded = len(q.absmax) * block  # with as many codes as the last block would have if it were whole
    codes = F.pad(q.packed, (0, -(-padded // 2) - len(q.packed))).int()
    rows = pairs.index_select(0, codes).view(torch.float32)[:padded].view(-1, block)
    return rows.mul_(q.absmax[:, None]).view(-1)[:n].view(shape)


def _check(w: Tensor, block: int) -> None:
    if block < 1:
        raise ValueError(f"block={block} is how many weights share a scale; take 64")
    if not w.isfinite().all():
        raise ValueError("w holds NaN or infinity, which no level is near; go back to an earlier checkpoint")
