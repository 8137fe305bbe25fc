"""The sizes and switches of a Qwen, checked once.

Qwen Technical Report (arXiv:2309.16609), Table 1 and section 2.3.1; their names in hub files stand in `names`.
"""

from dataclasses import dataclass, fields
from typing import Any

from minqwen.model import names


@dataclass(frozen=True)
class QwenConfig:
    """The shape of a model. The defaults are the course's tiny Qwen; `max_length` is the context it is trained on."""

    vocab_size: int = 4096
    d_model: int = 192
    n_layers: int = 6
    n_heads: int = 6
    n_kv_heads: int = 6
    d_ff: int = 512
    max_length: int = 256
    rope_base: float = 10000.0
    norm_eps: float = 1e-6
    qkv_bias: bool = True
    tie_embeddings: bool = False

    def __post_init__(self):
        for field in fields(self):
            value, wanted = getattr(self, field.name), field.type
            if type(value) is not wanted and not (wanted is float and type(value) is int):
                raise ValueError(f"{field.name}={value!r} must be of type {wanted.__name__}, such as {field.default}")
            if wanted is not bool and value <= 0:
                raise ValueError(f"{field.name}={value} must be above zero; the tiny Qwen has {field.default}")
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model={self.d_model} does not split into n_heads={self.n_heads} equal heads; "
                f"the nearest width that does, with an even head, is "
                f"{max(round(self.d_model / (2 * self.n_heads)), 1) * 2 * self.n_heads}"
            )
        if self.d_head % 2:
            raise ValueError(
                f"d_head = d_model / n_heads = {self.d_head} is odd, but RoPE turns pairs of channels; "
                f"use d_model={(self.d_head + 1) * self.n_heads}"
            )
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads={self.n_heads} does not split over n_kv_heads={self.n_kv_heads}; "
                f"use n_kv_heads={self.n_heads} (no sharing) or another divisor of {self.n_heads}"
            )

    @property
    def d_head(self) -> int:
        """D = d_model / n_heads, the width of one head."""
        return self.d_model // self.n_heads

    @property
    def n_parameters(self) -> int:
        """V·C (twice when untied) + C + layers · (2C² [q, o] + 2·C·Ckv [k, v] + C + 2·Ckv [bias] + 3·C·F + 2C)."""
        C, kv = self.d_model, self.n_kv_heads * self.d_head
        layer = 2 * C * C + 2 * C * kv + (C + 2 * kv) * self.qkv_bias + 3 * C * self.d_ff + 2 * C
        return self.vocab_size * C * (1 if self.tie_embeddings else 2) + C + self.n_layers * layer

    def to_hub(self) -> dict[str, Any]:
        """The contents of config.json: Qwen2 with biases on Q, K and V, Llama without."""
        return names.config_to_hub(vars(self))

    @classmethod
    def from_hub(cls, config: dict[str, Any]) -> "QwenConfig":
        """The fields of a config.json of Qwen2, Llama or the first Qwen, whatever else it holds."""
        return cls(**names.config_from_hub(config))
