"""Shards missing or doubled, an index that lies, weights of the wrong kind, names without a network."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from minqwen.model import Qwen, QwenConfig, checkpoint, hub

CONFIG = QwenConfig(vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43)


@pytest.fixture
def folder(tmp_path):
    """Two shards of alternate tensors, with their index."""
    Qwen(CONFIG, torch.Generator().manual_seed(0)).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    shards = {f"model-0000{i + 1}-of-00002.safetensors": dict(list(weights.items())[i::2]) for i in range(2)}
    for name, tensors in shards.items():
        save_file(tensors, tmp_path / name)
    index = {"weight_map": {tensor: name for name, tensors in shards.items() for tensor in tensors}}
    (tmp_path / checkpoint.INDEX).write_text(json.dumps(index))
    return tmp_path


def test_shards_load_as_one_model(folder):
    again = Qwen.from_pretrained(folder).state_dict()
    ours = Qwen(CONFIG, torch.Generator().manual_seed(0)).state_dict()
    assert all(ours[name].equal(again[name]) for name in ours)


def test_a_missing_shard_is_named(folder):
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"names model-00002-of-00002.safetensors.* download that file as well"):
        Qwen.from_pretrained(folder)


def test_a_doubled_tensor_is_named(folder):
    first = load_file(folder / "model-00001-of-00002.safetensors")
    second = load_file(folder / "model-00002-of-00002.safetensors")
    save_file(
        second | {"lm_head.weight": (first | second)["lm_head.weight"], **dict(list(first.items())[:1])},
        folder / "model-00002-of-00002.safetensors",
    )
    with pytest.raises(ValueError, match="puts elsewhere; download index and shards again, together"):
        Qwen.from_pretrained(folder)


def test_an_index_that_promises_too_much_is_named(folder):
    index = json.loads((folder / checkpoint.INDEX).read_text())
    index["weight_map"]["model.layers.9.mlp.up_proj.weight"] = "model-00001-of-00002.safetensors"
    (folder / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"promises model\.layers\.9.*download index and shards again, together"):
        Qwen.from_pretrained(folder)


def test_an_index_that_points_out_of_the_folder_is_refused(folder):
    index = json.loads((folder / checkpoint.INDEX).read_text())
    index["weight_map"]["lm_head.weight"] = "../secret.safetensors"
    (folder / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(FileNotFoundError, match=r"\.\./secret\.safetensors, which is not in"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn], ids=str)
def test_quantised_weights_are_refused_with_both_dtypes(folder, dtype):
    path = folder / "model-00001-of-00002.safetensors"
    save_file({name: t.to(dtype) for name, t in load_file(path).items()}, path)
    both = rf"weights are torch\.float32, .* \({dtype}\).*take an unquantised copy of the model"
    with pytest.raises(ValueError, match=both):
        Qwen.from_pretrained(folder)


def test_a_name_without_a_network_says_what_to_do(monkeypatch):
    import huggingface_hub

    def offline(*arguments, **keywords):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ValueError, match="connect to the network and try again, what has arrived is kept"):
        Qwen.from_pretrained("Qwen/Qwen2.5-0.5B")


def test_a_name_without_the_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install 'minqwen\[real\]'"):
        hub.find("Qwen/Qwen2.5-0.5B")


def test_a_path_that_does_not_exist_is_not_taken_for_a_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="give a model folder, or a name such as"):
        hub.find(tmp_path / "nowhere")
