"""The sizes and switches of a Qwen, checked once, and their names in hub files.

Qwen Technical Report (arXiv:2309.16609), Table 1 and section 2.3.1; hub names as in `transformers`' Qwen2.
"""

from dataclasses import dataclass, fields
from typing import Any


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
    tie_embeddings: bool = False

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is not bool and value <= 0:
                raise ValueError(f"{field.name}={value} must be above zero; the tiny Qwen has {field.default}")
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model={self.d_model} does not split into n_heads={self.n_heads} equal heads; "
                f"the nearest width that does is {max(self.d_model // self.n_heads, 1) * self.n_heads}"
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
        """V·C (twice when untied) + C + layers · (2C²+C [q, o, bias] + 2·Ckv·(C+1) [k, v] + 3·C·F + 2C)."""
        C, kv = self.d_model, self.n_kv_heads * self.d_head
        layer = 2 * C * C + C + 2 * kv * (C + 1) + 3 * C * self.d_ff + 2 * C
        return self.vocab_size * C * (1 if self.tie_embeddings else 2) + C + self.n_layers * layer

    def to_hub(self) -> dict[str, Any]:
        """The contents of config.json: these fields under the names of `transformers`' Qwen2."""
        renamed = {hub: getattr(self, ours) for ours, hub in HUB_NAMES.items()}
        return {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", **renamed}

    @classmethod
    def from_hub(cls, config: dict[str, Any]) -> "QwenConfig":
        """The fields of a config.json, whatever else it holds."""
        if config.get("model_type") != "qwen2":
            raise ValueError(
                f"model_type={config.get('model_type')!r} is not known; the model types that load are: qwen2"
            )
        missing = [hub for hub in HUB_NAMES.values() if hub not in config and hub != "rope_theta"]
        if missing:
            raise ValueError(f"config.json lacks {', '.join(missing)}; copy the complete file of the model")
        # Since version 5, transformers keeps the base under rope_parameters.
        base = config.get("rope_theta") or config.get("rope_parameters", {}).get("rope_theta", 10000.0)
        return cls(**{ours: config[hub] for ours, hub in HUB_NAMES.items() if hub != "rope_theta"}, rope_base=base)


HUB_NAMES = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "d_ff": "intermediate_size",
    "max_length": "max_position_embeddings",
    "rope_base": "rope_theta",
    "norm_eps": "rms_norm_eps",
    "tie_embeddings": "tie_word_embeddings",
}
