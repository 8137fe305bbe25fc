"""One layer of Qwen: x + attention(norm(x)), then x + mlp(norm(x)).

Qwen Technical Report (arXiv:2309.16609), section 2.3.1: pre-normalisation, RoPE, biases on Q, K and V only.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from minqwen.model import attention, mlp, norm, rope
from minqwen.model.cache import LayerCache
from minqwen.model.config import QwenConfig


class SelfAttention(nn.Module):
    """The four projections around `fused_attention`, with RoPE on queries and keys."""

    def __init__(self, config: QwenConfig):
        super().__init__()
        self.n_heads, self.n_kv_heads = config.n_heads, config.n_kv_heads
        kv_width = config.n_kv_heads * config.d_head
        self.q_proj = nn.Linear(config.d_model, config.d_model, bias=config.qkv_bias)
        self.k_proj = nn.Linear(config.d_model, kv_width, bias=config.qkv_bias)
        self.v_proj = nn.Linear(config.d_model, kv_width, bias=config.qkv_bias)
        self.o_proj = nn.Linear(config.d_model, config.d_model, bias=False)

    def queries_keys_values(
        self,
        x: Float[Tensor, "B T C"],
        angles: Float[Tensor, "#B T half"],
        query_scale: Float[Tensor, "#B T"] | None = None,
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B Hkv T D"], Float[Tensor, "B Hkv T D"]]:
        """Queries and keys, already rotated to their positions, and values, a head each; a factor for each query."""
        heads = self.n_heads, self.n_kv_heads
        # The angles are the same for all heads, so those of the queries and those of the keys are turned as one.
        qk = attention.split_heads(torch.cat([self.q_proj(x), self.k_proj(x)], dim=-1), sum(heads))
        q, k = rope.fused_rope(qk, angles[:, None]).split_with_sizes(heads, dim=1)
        v = attention.split_heads(self.v_proj(x), self.n_kv_heads)
        return q if query_scale is None else (q * query_scale[:, None, :, None]).to(q.dtype), k, v

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        angles: Float[Tensor, "#B T half"],
        mask: Bool[Tensor, "#B 1 T S"] | None,
        cache: LayerCache | None = None,
        query_scale: Float[Tensor, "#B T"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """Attention of T new positions to all S, the cached ones included."""
        q, k, v = self.queries_keys_values(x, angles, query_scale)
        if cache is not None:
            k, v = cache.update(k, v)
        groups = self.n_heads // self.n_kv_heads
        k, v = attention.repeat_kv(k, groups), attention.repeat_kv(v, groups)
        return self.o_proj(attention.merge_heads(attention.fused_attention(q, k, v, mask)))


class Block(nn.Module):
    """Attention and MLP, each on the normalised stream, each added back to it."""

    def __init__(self, config: QwenConfig):
        super().__init__()
        self.input_layernorm = norm.RMSNorm(config.d_model, config.norm_eps)
        self.self_attn = SelfAttention(config)
        self.post_attention_layernorm = norm.RMSNorm(config.d_model, config.norm_eps)
        self.mlp = mlp.MLP(config.d_model, config.d_ff)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        angles: Float[Tensor, "#B T half"],
        mask: Bool[Tensor, "#B 1 T S"] | None,
        cache: LayerCache | None = None,
        query_scale: Float[Tensor, "#B T"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """x + attention(norm(x)), then + mlp(norm(·))."""
        x = x + self.self_attn(self.input_layernorm(x), angles, mask, cache, query_scale)
        return x + self.mlp(self.post_attention_layernorm(x))
