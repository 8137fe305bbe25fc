"""What each head of a model looks at, three scores that name common habits, and a switch for heads.

Previous-token and first-token heads: Clark et al. 2019, "What Does BERT Look At?" (arXiv:1906.04341), section 3, and
Xiao et al. 2023 on attention sinks (arXiv:2309.17453), section 3.1. Induction heads: Olsson et al. 2022
(arXiv:2209.11895). Switching heads off: Michel et al. 2019, "Are Sixteen Heads Really Better than One?"
(arXiv:1905.10650).
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minqwen.model import Qwen, attention


@torch.no_grad()
def attention_maps(model: Qwen, ids: Int[Tensor, " T"]) -> Float[Tensor, "L H T T"]:
    """maps[l, h, t, s]: the weight that head h of layer l gives token s at token t; each row sums to 1."""
    return torch.stack([weights for weights, _ in _looked_at(model, ids)])


@torch.no_grad()
def contributions(model: Qwen, ids: Int[Tensor, " T"]) -> Float[Tensor, "L H T T"]:
    """‖maps[l, h, t, s] · W^O_h v[l, h, s]‖: how long a vector token s adds at token t through head h.

    Kobayashi et al. 2020, "Attention is Not Only a Weight" (arXiv:2004.10102), section 3.
    """
    added = []
    for (weights, v), block in zip(_looked_at(model, ids), model.model.layers):
        out = block.self_attn.o_proj.weight.view(-1, v.shape[0], v.shape[-1])  # (C, H, D)
        added.append(weights * torch.einsum("chd,hsd->hsc", out, v).norm(dim=-1)[:, None, :])
    return torch.stack(added)


def _looked_at(model: Qwen, ids: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Attention weights (H, T, T) and values (H, T, D) of every layer, in one forward pass."""
    seen = []

    def record(layer: nn.Module, inputs: tuple) -> None:
        x, angles, mask, _, query_scale = inputs
        q, k, v = layer.queries_keys_values(x, angles, query_scale)
        groups = layer.n_heads // layer.n_kv_heads
        weights = attention.attention_weights(q, attention.repeat_kv(k, groups), mask)
        seen.append((weights[0], attention.repeat_kv(v, groups)[0]))

    with ExitStack() as hooks:
        for block in model.model.layers:
            hooks.enter_context(_hooked(block.self_attn, record))
        model(ids[None])
    return seen


def previous_token_score(maps: Float[Tensor, "L H T T"]) -> Float[Tensor, "L H"]:
    """mean over t ≥ 1 of maps[t, t − 1]: 1 for a head that only looks one token back."""
    _check_length(maps, at_least=2)
    return maps.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)


def first_token_score(maps: Float[Tensor, "L H T T"]) -> Float[Tensor, "L H"]:
    """mean over t ≥ 1 of maps[t, 0]: 1 for a head that rests on the first token, an attention sink."""
    _check_length(maps, at_least=2)
    return maps[..., 1:, 0].mean(dim=-1)


def induction_score(maps: Float[Tensor, "L H T T"], period: int) -> Float[Tensor, "L H"]:
    """mean over t ≥ period of maps[t, t − period + 1]: what followed the last time this token was seen.

    The ids must repeat after `period` tokens; random ones, so that nothing else tells what comes next.
    """
    _check_length(maps, at_least=period + 1)
    return maps.diagonal(offset=1 - period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


@contextmanager
def ablate_heads(model: Qwen, heads: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Inside the block the output of each (layer, head), counted from 0, is zero before it reaches W^O."""
    config = model.config
    off = torch.zeros(config.n_layers, config.n_heads, dtype=torch.bool)
    for layer, head in heads:
        if not (0 <= layer < config.n_layers and 0 <= head < config.n_heads):
            raise ValueError(
                f"there is no head (layer {layer}, head {head}); count layers from 0 to {config.n_layers - 1} "
                f"and heads from 0 to {config.n_heads - 1}"
            )
        off[layer, head] = True
    with ExitStack() as hooks:
        for block, row in zip(model.model.layers, off):
            channels = row.repeat_interleave(config.d_head)
            zero = lambda _, inputs, channels=channels: (inputs[0].masked_fill(channels, 0.0),)  # noqa: E731
            hooks.enter_context(_hooked(block.self_attn.o_proj, zero))
        yield


@contextmanager
def _hooked(module: nn.Module, hook) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _check_length(maps: Tensor, at_least: int) -> None:
    if maps.shape[-1] < at_least:
        raise ValueError(
            f"this score needs {at_least} tokens, but the maps are of {maps.shape[-1]}; give a longer text"
        )
