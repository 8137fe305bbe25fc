"""Hub folders that are damaged, interrupted or of another model: nothing is lost and the way out is named."""

import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from minqwen.model import Qwen, QwenConfig, checkpoint

CONFIG = QwenConfig(vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43)


@pytest.fixture
def folder(tmp_path):
    Qwen(CONFIG, torch.Generator().manual_seed(0)).save_pretrained(tmp_path)
    return tmp_path


def test_saving_and_loading_changes_no_bit(folder):
    ours = Qwen(CONFIG, torch.Generator().manual_seed(0)).state_dict()
    again = Qwen.from_pretrained(folder).state_dict()
    assert all(ours[name].equal(again[name]) for name in ours)
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]


def test_bfloat16_halves_the_file_and_loads_as_float32(folder, tmp_path):
    Qwen.from_pretrained(folder).save_pretrained(tmp_path / "half", dtype=torch.bfloat16)
    sizes = [(f / "model.safetensors").stat().st_size for f in (tmp_path / "half", folder)]
    assert sizes[0] < 0.55 * sizes[1]
    half = Qwen.from_pretrained(tmp_path / "half")
    assert half.lm_head.weight.dtype == torch.float32
    torch.testing.assert_close(half.lm_head.weight, Qwen.from_pretrained(folder).lm_head.weight, atol=1e-3, rtol=1e-2)


def test_a_truncated_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"cut off or damaged .* copy or download the file again"):
        Qwen.from_pretrained(folder)


def test_a_file_of_noise_is_refused(folder):
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ValueError, match=r"cut off or damaged .* copy or download the file again"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(folder, value):
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = value
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"in model\.norm\.weight; go back to an earlier checkpoint"):
        Qwen.from_pretrained(folder)


def test_a_config_that_does_not_fit_its_weights_names_both_shapes(folder):
    text = (folder / "config.json").read_text().replace('"intermediate_size": 43', '"intermediate_size": 47')
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"\(43, 30\) in the file and \(47, 30\) by the config; .*; take both files"):
        Qwen.from_pretrained(folder)


def test_missing_layers_are_named(folder):
    text = (folder / "config.json").read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3')
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"the file lacks model\.layers\.2\..* take both files from the same model"):
        Qwen.from_pretrained(folder)


def test_a_pickle_is_refused_and_never_run(tmp_path):
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is a pickle.* convert it to model\.safetensors"):
        checkpoint.read_weights(tmp_path)
    assert not ran.exists()


def test_an_empty_folder_says_what_belongs_in_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a model folder holds config\.json and model\.safetensors"):
        Qwen.from_pretrained(tmp_path)


def test_a_config_that_is_no_json_is_named(folder):
    (folder / "config.json").write_text('{"model_type": ')
    with pytest.raises(ValueError, match=r"not valid JSON .* copy the file of the model again"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize("at", ["while writing", "before renaming"])
def test_an_interrupted_save_leaves_the_old_checkpoint(folder, monkeypatch, at):
    old = (folder / "model.safetensors").read_bytes()

    def full(*arguments, **keywords):
        if at == "while writing":
            arguments[1].write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((checkpoint, "save_file") if at == "while writing" else (os, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        Qwen(CONFIG, torch.Generator().manual_seed(1)).save_pretrained(folder)
    assert (folder / "model.safetensors").read_bytes() == old
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    Qwen.from_pretrained(folder)
