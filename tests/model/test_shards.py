"""Shards missing or doubled, an index that lies, weights of the wrong kind, names without a network."""

import json
import shutil
import sys
from pathlib import Path

import huggingface_hub.constants
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
    with pytest.raises(
        FileNotFoundError, match=r"names model-00002-of-00002.safetensors.* download that shard as well"
    ):
        Qwen.from_pretrained(folder)


def test_shards_without_their_index_name_the_index(folder):
    (folder / checkpoint.INDEX).unlink()
    remedy = r"model-00001-of-00002\.safetensors, one shard .* without their model\.safetensors\.index\.json; download"
    with pytest.raises(FileNotFoundError, match=remedy):
        Qwen.from_pretrained(folder)


def test_an_index_of_pickles_is_refused_as_pickles(folder):
    index = json.loads((folder / checkpoint.INDEX).read_text())
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    for tensor in index["weight_map"]:
        index["weight_map"][tensor] = "pytorch_model.bin"
    (folder / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is a pickle.* convert it to model\.safetensors"):
        Qwen.from_pretrained(folder)


def test_a_truncated_shard_is_named(folder):
    path = folder / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model-00002.* is cut off or damaged .* copy or download the file again"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize("size", [0, 5, 100])
def test_a_file_of_which_hardly_anything_arrived_is_named(folder, size):
    path = folder / "model-00001-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=rf"\({size} bytes\) is cut off or damaged .* copy or download the file again"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize(
    "unfinished",
    [
        pytest.param(".cache/huggingface/download/0f3.incomplete", id="huggingface-hub into a folder"),
        pytest.param("model-00002-of-00002.safetensors.part", id="a browser"),
        pytest.param("model-00002-of-00002.safetensors.crdownload", id="another browser"),
    ],
)
@pytest.mark.parametrize("gone", ["model-00002-of-00002.safetensors", "config.json"])
def test_a_download_that_stopped_half_way_is_seen_beside_the_gap(folder, unfinished, gone):
    (folder / unfinished).parent.mkdir(parents=True, exist_ok=True)
    (folder / unfinished).write_bytes(b"half")
    Qwen.from_pretrained(folder)  # what is whole loads, whatever lies beside it
    (folder / gone).unlink()
    name = (folder / unfinished).name
    with pytest.raises(
        FileNotFoundError, match=rf"{gone} does not exist, but {name} does.*run the same download again"
    ):
        Qwen.from_pretrained(folder)


def test_one_whole_file_wins_over_an_index_as_in_transformers(folder):
    newer = Qwen(CONFIG, torch.Generator().manual_seed(1))
    newer.save_pretrained(folder)  # the old shards and their index still lie there
    assert Qwen.from_pretrained(folder).lm_head.weight.equal(newer.lm_head.weight)


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


@pytest.mark.parametrize("named", ["../secret.safetensors", "/secret.safetensors", ".", ""])
def test_an_index_that_points_out_of_the_folder_is_refused(folder, named):
    index = json.loads((folder / checkpoint.INDEX).read_text())
    index["weight_map"]["lm_head.weight"] = named
    (folder / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match=rf"names '{named}', which is not in .* copy the file of the model"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize("index", [{}, {"weight_map": ["model.safetensors"]}, {"weight_map": {"lm_head.weight": 1}}])
def test_an_index_without_a_map_is_named(folder, index):
    (folder / checkpoint.INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match="no weight_map from tensors to files; copy the file of the model again"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn], ids=str)
def test_quantised_weights_are_refused_with_both_dtypes(folder, dtype):
    path = folder / "model-00001-of-00002.safetensors"
    save_file({name: t.to(dtype) for name, t in load_file(path).items()}, path)
    both = rf"weights are torch\.float32, .* \({dtype}\).*take an unquantised copy of the model"
    with pytest.raises(ValueError, match=both):
        Qwen.from_pretrained(folder)


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """huggingface-hub itself, told that there is no network, with an empty cache; the cache's folder of one model."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub" / "models--Qwen--Qwen2.5-0.5B"


def test_a_name_without_a_network_says_what_to_do(offline):
    with pytest.raises(ValueError, match="check the name and the network and try again, what has arrived is kept"):
        Qwen.from_pretrained("Qwen/Qwen2.5-0.5B")


def test_a_name_that_was_fetched_before_needs_no_network(offline, folder):
    shutil.copytree(folder, snapshot(offline), ignore=shutil.ignore_patterns("hub"))
    ours = Qwen(CONFIG, torch.Generator().manual_seed(0))
    assert Qwen.from_pretrained("Qwen/Qwen2.5-0.5B").lm_head.weight.equal(ours.lm_head.weight)


def test_a_name_that_was_fetched_by_half_says_so(offline, folder):
    shutil.copytree(folder, snapshot(offline), ignore=shutil.ignore_patterns("hub", "model-00002*"))
    (offline / "blobs").mkdir()
    (offline / "blobs" / "9ab.incomplete").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match=r"but 9ab\.incomplete does.*run the same download again"):
        Qwen.from_pretrained("Qwen/Qwen2.5-0.5B")


def snapshot(cache: Path) -> Path:
    """The folder that the cache's main branch names; it does not exist yet."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    (cache / "snapshots").mkdir()
    return cache / "snapshots" / commit


def test_a_name_without_the_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install 'minqwen\[real\]'"):
        hub.find("Qwen/Qwen2.5-0.5B")


def test_a_path_that_does_not_exist_is_not_taken_for_a_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="give a model folder, or a name such as"):
        hub.find(tmp_path / "nowhere")
