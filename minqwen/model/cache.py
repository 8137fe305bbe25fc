"""The key-value cache: what the past tokens already computed, kept so that each new token costs one step.

Shazeer 2019, "Fast Transformer Decoding" (arXiv:1911.02150), section 2.4. Keys are stored after RoPE.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from minqwen.model.config import QwenConfig


def update_cache(
    memory: Float[Tensor, "B Hkv capacity D"], length: int, new: Float[Tensor, "B Hkv T D"]
) -> Float[Tensor, "B Hkv S D"]:
    """memory[:, :, length : length + T] = new; returns the S = length + T positions that are filled, not copied."""
    T = new.shape[-2]  # narrow is a slice that takes less time, and this runs twice a layer for every token
    memory.narrow(-2, length, T).copy_(new)
    return memory.narrow(-2, 0, length + T)


class LayerCache:
    """The keys and values of one layer, in one block of memory that is filled from the left."""

    def __init__(self, keys: Float[Tensor, "B Hkv S D"], values: Float[Tensor, "B Hkv S D"]):
        self.keys, self.values = keys, values
        self.length = 0

    def update(
        self, k: Float[Tensor, "B Hkv T D"], v: Float[Tensor, "B Hkv T D"]
    ) -> tuple[Float[Tensor, "B Hkv S D"], Float[Tensor, "B Hkv S D"]]:
        """Append T positions; return all S = past + T positions."""
        past, stop = self.length, self.length + k.shape[-2]
        if stop > self.keys.shape[-2]:
            raise ValueError(
                f"{stop} positions do not fit a cache of {self.keys.shape[-2]}; make it with capacity={stop} or more"
            )
        self.length = stop
        return update_cache(self.keys, past, k), update_cache(self.values, past, v)


class KVCache:
    """One `LayerCache` a layer; `length` positions of `capacity` are filled."""

    def __init__(self, config: QwenConfig, batch_size: int, capacity: int, dtype: torch.dtype = torch.float32):
        shape = (batch_size, config.n_kv_heads, capacity, config.d_head)
        self.layers = [
            LayerCache(torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype)) for _ in range(config.n_layers)
        ]
        self.first_lengths: tuple[int, ...] = ()  # tokens of each row in the first call, to which its keys were scaled

    @property
    def length(self) -> int:
        """How many positions are filled, the same in every layer between two forward passes."""
        return self.layers[-1].length
