"""The Transformer of 2017: an encoder reads, a decoder writes and looks back at what was read.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3; `norm_first` is the pre-norm of Xiong
et al. 2020 (arXiv:2002.04745). Names and biases are those of `torch.nn.Transformer`, so its weights load as they are.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.model import attention, checkpoint, mlp, norm, positions


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a model; `n_layers` in the encoder, and as many in the decoder."""

    vocab_size: int
    d_model: int = 64
    n_layers: int = 2
    n_heads: int = 4
    d_ff: int = 256
    norm_first: bool = False

    def __post_init__(self):
        for name, value in asdict(self).items():
            if name != "norm_first" and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model={self.d_model} does not split into n_heads={self.n_heads} equal heads; "
                f"the nearest width that does is {max(self.d_model // self.n_heads, 1) * self.n_heads}"
            )
        if self.d_model % 2:
            raise ValueError(
                f"d_model={self.d_model} is odd, but sinusoids come in pairs; use d_model={self.d_model + 1}"
            )


def target_mask(is_token: Bool[Tensor, "B T"]) -> Bool[Tensor, "B 1 T T"]:
    """mask[b, 0, t, s] = (s ≤ t) and is_token[b, s]: no look ahead, none at padding; the same for all heads."""
    T = is_token.shape[-1]
    return attention.causal_mask(T, T) & is_token[:, None, None, :]


class MultiHeadAttention(nn.Module):
    """Queries from one sequence, keys and values from another, or from the same."""

    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))  # of queries, keys, values
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)

    def queries_keys_values(
        self, x: Float[Tensor, "B T C"], memory: Float[Tensor, "B S C"]
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H S D"], Float[Tensor, "B H S D"]]:
        """x asks; the memory is compared, and averaged."""
        projections = zip((x, memory, memory), self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3))
        q, k, v = (attention.split_heads(nn.functional.linear(*each), self.n_heads) for each in projections)
        return q, k, v

    def forward(
        self, x: Float[Tensor, "B T C"], memory: Float[Tensor, "B S C"], mask: Bool[Tensor, "#B 1 #T S"] | None
    ) -> Float[Tensor, "B T C"]:
        """What each of the T positions finds in the memory."""
        q, k, v = self.queries_keys_values(x, memory)
        return self.out_proj(attention.merge_heads(attention.scaled_dot_product_attention(q, k, v, mask)))


class Layer(nn.Module):
    """What layers of both kinds share: attention to themselves, the feed-forward, and where the norm stands."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.norm_first = config.norm_first
        self.self_attn = MultiHeadAttention(config.d_model, config.n_heads)
        self.linear1 = nn.Linear(config.d_model, config.d_ff)
        self.linear2 = nn.Linear(config.d_ff, config.d_model)
        self.norm1, self.norm2 = norm.LayerNorm(config.d_model), norm.LayerNorm(config.d_model)

    def add(self, x: Float[Tensor, "B T C"], part: Callable, layer_norm: nn.Module) -> Float[Tensor, "B T C"]:
        """norm(x + part(x)) as in 2017; x + part(norm(x)) with `norm_first`."""
        return x + part(layer_norm(x)) if self.norm_first else layer_norm(x + part(x))

    def feed_forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """`mlp.feed_forward` with these weights."""
        return mlp.feed_forward(x, self.linear1.weight, self.linear1.bias, self.linear2.weight, self.linear2.bias)


class EncoderLayer(Layer):
    """Attention among the tokens that are read, then the feed-forward."""

    def forward(
        self, x: Float[Tensor, "B S C"], mask: Bool[Tensor, "#B 1 #S S"] | None = None
    ) -> Float[Tensor, "B S C"]:
        x = self.add(x, lambda x: self.self_attn(x, x, mask), self.norm1)
        return self.add(x, self.feed_forward, self.norm2)


class DecoderLayer(Layer):
    """Attention among the tokens written so far, then to the encoder's result, then the feed-forward."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        self.multihead_attn = MultiHeadAttention(config.d_model, config.n_heads)
        self.norm3 = norm.LayerNorm(config.d_model)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        memory: Float[Tensor, "B S C"],
        mask: Bool[Tensor, "#B 1 T T"],
        memory_mask: Bool[Tensor, "#B 1 1 S"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        x = self.add(x, lambda x: self.self_attn(x, x, mask), self.norm1)
        x = self.add(x, lambda x: self.multihead_attn(x, memory, memory_mask), self.norm2)
        return self.add(x, self.feed_forward, self.norm3)


class Stack(nn.Module):
    """Layers one after the other, and a last norm."""

    def __init__(self, layer: type[Layer], config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList(layer(config) for _ in range(config.n_layers))
        self.norm = norm.LayerNorm(config.d_model)

    def forward(self, x: Float[Tensor, "B T C"], *others: Tensor | None) -> Float[Tensor, "B T C"]:
        for layer in self.layers:
            x = layer(x, *others)
        return self.norm(x)


class Transformer(nn.Module):
    """Ids in, logits out: one matrix embeds source and target and makes the logits (section 3.4)."""

    def __init__(self, config: TransformerConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder, self.decoder = Stack(EncoderLayer, config), Stack(DecoderLayer, config)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2 and not name.startswith("embedding"):
                nn.init.xavier_uniform_(parameter, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        nn.init.normal_(self.embedding.weight, 0.0, config.d_model**-0.5, generator=generator)

    def embed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T C"]:
        """√C · embedding + sinusoids (sections 3.4 and 3.5)."""
        scaled = self.embedding(ids) * self.config.d_model**0.5
        return scaled + positions.sinusoidal_encoding(ids.shape[-1], self.config.d_model).to(scaled)

    def encode(self, source: Int[Tensor, "B S"], is_source: Bool[Tensor, "B S"]) -> Float[Tensor, "B S C"]:
        """The memory: a vector for each token that was read; `is_source` is False on padding."""
        return self.encoder(self.embed(source), is_source[:, None, None, :])

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S C"],
        is_target: Bool[Tensor, "B T"],
        is_source: Bool[Tensor, "B S"],
    ) -> Float[Tensor, "B T V"]:
        """Logits for the token after each position of the target."""
        x = self.decoder(self.embed(target), memory, target_mask(is_target), is_source[:, None, None, :])
        return x @ self.embedding.weight.mT

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        is_source: Bool[Tensor, "B S"],
        is_target: Bool[Tensor, "B T"],
    ) -> Float[Tensor, "B T V"]:
        """Read the source, then say for each position of the target what comes next."""
        return self.decode(target, self.encode(source, is_source), is_target, is_source)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Transformer":
        """The model that `save_pretrained` wrote, in float32."""
        config = checkpoint.read_config(folder)
        model = cls(TransformerConfig(**{field.name: config[field.name] for field in fields(TransformerConfig)}))
        model.load_state_dict({name: w.float() for name, w in checkpoint.read_weights(folder).items()})
        return model

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
        """Write config.json and model.safetensors."""
        checkpoint.save(folder, asdict(self.config), self.state_dict(), dtype)
