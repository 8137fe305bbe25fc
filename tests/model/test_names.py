"""The first Qwen's names against a folder written by hand in its layout; config.json files as the models have them."""

import json

import pytest
import torch
from safetensors.torch import save_file

from minqwen.model import LongContext, Qwen, QwenConfig

SMALL = QwenConfig(vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, max_length=2048)
QWEN_7B = {
    "model_type": "qwen",
    "vocab_size": 151936,
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "kv_channels": 128,
    "intermediate_size": 22016,
    "seq_length": 8192,
    "rotary_emb_base": 10000,
    "layer_norm_epsilon": 1e-06,
    "tie_word_embeddings": False,
    "no_bias": True,
}
LLAMA = {
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "max_position_embeddings": 8192,
    "rope_theta": 100000,
    "rms_norm_eps": 1e-05,
    "tie_word_embeddings": True,
    "rope_scaling": None,
    "attention_bias": False,
}


def test_the_first_qwen_of_seven_billion_has_7721324544_parameters():
    assert QwenConfig.from_hub(QWEN_7B).n_parameters == 7_721_324_544
    assert QwenConfig.from_hub(QWEN_7B).d_ff == 11008


def test_a_llama_config_has_no_biases_and_its_own_base():
    config = QwenConfig.from_hub(LLAMA)
    assert (config.qkv_bias, config.rope_base, config.norm_eps, config.d_head) == (False, 100000, 1e-5, 64)
    assert config.n_parameters == 134_515_008


def first_qwen(folder, **changes) -> Qwen:
    """Our model, written by hand into a folder in the first Qwen's layout."""
    ours = Qwen(SMALL, torch.Generator().manual_seed(0))
    torch.nn.init.normal_(ours.model.layers[1].self_attn.k_proj.bias)
    weights = {
        "transformer.wte.weight": ours.model.embed_tokens.weight,
        "transformer.ln_f.weight": ours.model.norm.weight,
        "lm_head.weight": ours.lm_head.weight,
    }
    for i, block in enumerate(ours.model.layers):
        attn, mlp, h = block.self_attn, block.mlp, f"transformer.h.{i}"
        weights[f"{h}.ln_1.weight"] = block.input_layernorm.weight
        weights[f"{h}.ln_2.weight"] = block.post_attention_layernorm.weight
        for part in ("weight", "bias"):
            rows = [getattr(getattr(attn, f"{p}_proj"), part) for p in "qkv"]
            weights[f"{h}.attn.c_attn.{part}"] = torch.cat(rows)
        weights[f"{h}.attn.c_proj.weight"] = attn.o_proj.weight
        weights[f"{h}.mlp.w1.weight"] = mlp.up_proj.weight
        weights[f"{h}.mlp.w2.weight"] = mlp.gate_proj.weight
        weights[f"{h}.mlp.c_proj.weight"] = mlp.down_proj.weight
    tensors = {name: tensor.detach().clone() for name, tensor in weights.items()}
    save_file(tensors, folder / "model.safetensors")
    sizes = {"vocab_size": 61, "hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 3}
    config = QWEN_7B | sizes | {"kv_channels": 10, "intermediate_size": 86, "seq_length": 2048} | changes
    (folder / "config.json").write_text(json.dumps(config))
    return ours


def test_a_folder_of_the_first_qwen_loads(tmp_path):
    ours, ids = first_qwen(tmp_path), torch.arange(7)[None]
    with torch.no_grad():
        torch.testing.assert_close(Qwen.from_pretrained(tmp_path)(ids), ours(ids), atol=0, rtol=0)


@pytest.mark.parametrize("logn", [False, True, None])
@pytest.mark.parametrize("ntk", [False, True, None])
def test_the_first_qwens_flags_choose_what_it_does_past_its_trained_length(ntk, logn, tmp_path):
    flags = {"use_dynamic_ntk": ntk, "use_logn_attn": logn}
    ours = first_qwen(tmp_path, seq_length=8, **{name: value for name, value in flags.items() if value is not None})
    chosen = LongContext("ntk" if ntk else "as trained", logn=bool(logn))
    read, ids = Qwen.from_pretrained(tmp_path), torch.arange(23)[None]
    asked = Qwen(read.config, long_context=chosen)
    asked.load_state_dict(ours.state_dict())
    assert read.long_context == chosen
    with torch.no_grad():
        torch.testing.assert_close(read(ids), asked(ids), atol=0, rtol=0)


def test_who_asks_for_a_long_context_gets_that_one(tmp_path):
    first_qwen(tmp_path, use_dynamic_ntk=True, use_logn_attn=True)
    for asked in (LongContext(), LongContext("interpolated")):
        assert Qwen.from_pretrained(tmp_path, asked).long_context == asked


@pytest.mark.parametrize("flag", ["use_dynamic_ntk", "use_logn_attn"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(flag, tmp_path):
    first_qwen(tmp_path, **{flag: "auto"})
    with pytest.raises(ValueError, match=f"{flag}='auto'.* must be true or false; mend them"):
        Qwen.from_pretrained(tmp_path)


def test_the_first_qwens_flags_switched_off_do_no_harm_elsewhere():
    off = {"use_dynamic_ntk": False, "use_logn_attn": False}
    assert QwenConfig.from_hub(LLAMA | off) == QwenConfig.from_hub(LLAMA)
    assert LongContext.from_hub(LLAMA | off) == LongContext()


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        pytest.param({"model_type": "mamba"}, "the model types that load are: qwen2, llama, qwen", id="unknown"),
        pytest.param({"head_dim": 128}, "only models whose heads fill the width load", id="heads wider than the model"),
        pytest.param({"rope_scaling": {"type": "linear", "factor": 2.0}}, "take one without", id="stretched"),
        pytest.param({"attention_bias": True}, "take one without", id="a bias after attention"),
        pytest.param({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "take one without", id="yarn"),
        pytest.param({"hidden_act": "gelu"}, r"hidden_act=gelu .* take one without", id="another bend"),
        pytest.param({"use_sliding_window": True}, "take one without", id="a window"),
        pytest.param({"use_dynamic_ntk": True}, "use_dynamic_ntk .* take one without", id="the first Qwen's NTK"),
        pytest.param({"use_logn_attn": True}, "use_logn_attn .* take one without", id="the first Qwen's LogN"),
        pytest.param({"use_cache_quantization": True}, "take one without", id="a rounded cache"),
        pytest.param({"head_dim": 20}, "only models whose heads fill the width load", id="narrow heads"),
        pytest.param({"partial_rotary_factor": 0.5}, "partial_rotary_factor .* take one without", id="half a rotation"),
        pytest.param({"rope_parameters": {"partial_rotary_factor": 0.5}}, "take one without", id="the same, elsewhere"),
        pytest.param({"rotary_pct": 0.25}, "rotary_pct .* take one without", id="the first Qwen's word for it"),
        pytest.param({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types .* take one", id="windows"),
        pytest.param(
            {"rope_scaling": "yarn"}, "rope_scaling='yarn' .* an object or null; copy", id="a word for a rope"
        ),
        pytest.param({"rope_parameters": 3}, "rope_parameters=3 .* an object or null; copy", id="a number for a rope"),
        pytest.param({"rope_theta": "x"}, "rope_theta='x' must be a number; copy the file", id="a base of letters"),
        pytest.param({"hidden_size": None}, "lacks hidden_size; copy the complete file", id="a hole"),
    ],
)
def test_what_this_model_cannot_do_is_refused_and_not_ignored(change, remedy):
    with pytest.raises(ValueError, match=remedy):
        QwenConfig.from_hub(LLAMA | change)


def test_what_changes_nothing_is_no_reason_to_refuse():
    whole = {"partial_rotary_factor": 1.0, "rotary_pct": 1.0, "layer_types": ["full_attention"], "sliding_window": 128}
    assert QwenConfig.from_hub(LLAMA | whole) == QwenConfig.from_hub(LLAMA)
