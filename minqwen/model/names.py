"""What our sizes and weights are called in hub files: as in `transformers`' Qwen2 and Llama, and in the first Qwen.

The first Qwen (2023, https://github.com/QwenLM/Qwen; report arXiv:2309.16609) packs Q, K and V into one matrix, calls
the gate w2 and up w1, and gives twice the width of its MLP as intermediate_size.
"""

from typing import Any

from torch import Tensor

CONFIG = {
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
FIRST_QWEN_CONFIG = CONFIG | {
    "n_kv_heads": "num_attention_heads",
    "max_length": "seq_length",
    "rope_base": "rotary_emb_base",
    "norm_eps": "layer_norm_epsilon",
}
FIRST_QWEN_WEIGHTS = {
    "transformer.wte": "model.embed_tokens",
    "transformer.ln_f": "model.norm",
    "transformer.h": "model.layers",
    "ln_1": "input_layernorm",
    "ln_2": "post_attention_layernorm",
    "attn.c_proj": "self_attn.o_proj",
    "mlp.w2": "mlp.gate_proj",
    "mlp.w1": "mlp.up_proj",
    "mlp.c_proj": "mlp.down_proj",
}
KNOWN = ("qwen2", "llama", "qwen")
FIRST_QWEN_LONG_CONTEXT = ("use_dynamic_ntk", "use_logn_attn")


def config_to_hub(fields: dict[str, Any]) -> dict[str, Any]:
    """Our fields as a config.json."""
    kind, architecture = ("qwen2", "Qwen2ForCausalLM") if fields["qkv_bias"] else ("llama", "LlamaForCausalLM")
    renamed = {hub: fields[ours] for ours, hub in CONFIG.items()}
    return {"model_type": kind, "architectures": [architecture], "hidden_act": "silu", **renamed}


def config_from_hub(config: dict[str, Any]) -> dict[str, Any]:
    """A config.json as our fields; what this model cannot do is refused, not ignored."""
    kind = config.get("model_type")
    if kind not in KNOWN:
        raise ValueError(f"model_type={kind!r} is not known; the model types that load are: {', '.join(KNOWN)}")
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(config.get(name) or {}, dict):
            raise ValueError(
                f"{name}={config[name]!r} in config.json must be an object or null; copy the file of the model again"
            )
    # Since version 5, transformers keeps the base under rope_parameters; Llama's old files may leave out defaults.
    defaults = {"rope_theta": 10000.0, "tie_word_embeddings": False, **(config.get("rope_parameters") or {})}
    defaults["num_key_value_heads"] = config.get("num_attention_heads")
    config = defaults | {name: value for name, value in config.items() if value is not None}
    table = FIRST_QWEN_CONFIG if kind == "qwen" else CONFIG
    missing = [hub for hub in table.values() if hub not in config]
    if missing:
        raise ValueError(f"config.json lacks {', '.join(missing)}; copy the complete file of the model")
    _refuse_the_unknown(config)
    fields = {ours: config[hub] for ours, hub in table.items()} | {"qkv_bias": kind != "llama"}
    if type(fields["rope_base"]) not in (int, float):
        raise ValueError(
            f"{table['rope_base']}={fields['rope_base']!r} must be a number; copy the file of the model again"
        )
    fields["rope_base"] = float(fields["rope_base"])  # config files write 10000
    if kind == "qwen":
        fields["d_ff"] //= 2
    return fields


def long_context_from_hub(config: dict[str, Any]) -> dict[str, Any]:
    """What a config.json of the first Qwen switches on past its seq_length, in the words of `LongContext`."""
    if config.get("model_type") != "qwen":
        return {}
    ntk, logn = (config.get(name) or False for name in FIRST_QWEN_LONG_CONTEXT)
    if not (isinstance(ntk, bool) and isinstance(logn, bool)):
        raise ValueError(
            f"use_dynamic_ntk={ntk!r} and use_logn_attn={logn!r} in config.json must be true or false; "
            "mend them, or copy the file of the model again"
        )
    return {"positions": "ntk" if ntk else "as trained", "logn": logn}


def _refuse_the_unknown(config: dict[str, Any]) -> None:
    d_head = config.get("head_dim") or config.get("kv_channels")
    if d_head and d_head * config["num_attention_heads"] != config["hidden_size"]:
        raise ValueError(
            f"head_dim={d_head} times {config['num_attention_heads']} heads is not hidden_size="
            f"{config['hidden_size']}; only models whose heads fill the width load"
        )
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    refused = ["use_sliding_window", "attention_bias", "mlp_bias", "use_cache_quantization"]
    refused += [] if config["model_type"] == "qwen" else FIRST_QWEN_LONG_CONTEXT
    changes = [name for name in refused if config.get(name)]
    if scaling.get("rope_type", scaling.get("type", "default")) != "default":
        changes.append("rope_scaling")
    # A part of the channels that RoPE turns, and layers with a window; a window that no layer uses changes nothing.
    changes += [name for name in ("partial_rotary_factor", "rotary_pct") if config.get(name, 1) != 1]
    changes += ["layer_types"] if set(config.get("layer_types", ())) - {"full_attention"} else []
    if config.get("hidden_act", "silu") != "silu":
        changes.append(f"hidden_act={config['hidden_act']}")
    if changes:
        raise ValueError(f"{changes[0]} in config.json makes another model of it; take one without")


def weights_from_first_qwen(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first Qwen's tensors under our names; c_attn holds the rows of Q, K and V in this order."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if ".attn.c_attn." in name:
            for part, third in zip("qkv", tensor.chunk(3)):
                renamed[_ours(name.replace("attn.c_attn", f"self_attn.{part}_proj"))] = third
        else:
            renamed[_ours(name)] = tensor
    return renamed


def _ours(name: str) -> str:
    for theirs, ours in FIRST_QWEN_WEIGHTS.items():
        name = name.replace(f"{theirs}.", f"{ours}.")
    return name
