"""The first Qwen's names against a folder written by hand in its layout; config.json files as the models have them."""

import json

import pytest
import torch
from safetensors.torch import save_file

from minqwen.model import Qwen, QwenConfig

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


def test_a_folder_of_the_first_qwen_loads(tmp_path):
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
    save_file({name: tensor.detach().clone() for name, tensor in weights.items()}, tmp_path / "model.safetensors")
    sizes = {"vocab_size": 61, "hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 3}
    config = QWEN_7B | sizes | {"kv_channels": 10, "intermediate_size": 86, "seq_length": 2048}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ids = torch.arange(7)[None]
    with torch.no_grad():
        torch.testing.assert_close(Qwen.from_pretrained(tmp_path)(ids), ours(ids), atol=0, rtol=0)


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
        pytest.param({"head_dim": 20}, "only models whose heads fill the width load", id="narrow heads"),
        pytest.param({"hidden_size": None}, "lacks hidden_size; copy the complete file", id="a hole"),
    ],
)
def test_what_this_model_cannot_do_is_refused_and_not_ignored(change, remedy):
    with pytest.raises(ValueError, match=remedy):
        QwenConfig.from_hub(LLAMA | change)
