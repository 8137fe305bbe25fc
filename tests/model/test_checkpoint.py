"""Hub folders that are damaged, interrupted or of another model: nothing is lost and the way out is named."""

import dataclasses
import os
import pickle

import pytest
import torch
from safetensors import safe_open
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


def test_loading_draws_nothing_at_random_and_leaves_an_ordinary_model(folder):
    before = torch.random.get_rng_state()
    model = Qwen.from_pretrained(folder)
    assert torch.random.get_rng_state().equal(before)
    assert {p.device.type for p in model.parameters()} == {"cpu"} and all(p.requires_grad for p in model.parameters())
    model(torch.arange(7)[None]).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    old = Qwen.from_pretrained(folder).state_dict()
    assert not any(old[name].equal(tensor) for name, tensor in model.state_dict().items())


def test_a_file_that_changes_after_loading_changes_no_weight(folder):
    model = Qwen.from_pretrained(folder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    path = folder / "model.safetensors"
    with path.open("r+b") as file:  # in place, as a download that writes over the file does
        file.write(bytes(path.stat().st_size))
    assert all(before[name].equal(tensor) for name, tensor in model.state_dict().items())


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


@pytest.mark.parametrize("ending", [".bin", ".pt", ".pth", ".ckpt", ".pkl"])
def test_a_pickle_is_refused_and_never_run(tmp_path, ending):
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / f"model{ending}").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=rf"model{ending} is a pickle.* convert it to model\.safetensors"):
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


def test_a_tensor_without_a_place_is_named(folder):
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"model.layers.0.extra": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"no place for model\.layers\.0\.extra; take both files"):
        Qwen.from_pretrained(folder)


def test_tied_embeddings_are_stored_once(tmp_path):
    tied = dataclasses.replace(CONFIG, tie_embeddings=True)
    ours = Qwen(tied, torch.Generator().manual_seed(0))
    ours.save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    again = Qwen.from_pretrained(tmp_path)
    assert again.lm_head.weight is again.model.embed_tokens.weight
    assert len(list(again.parameters())) == len(list(ours.parameters()))
    assert again.lm_head.weight.equal(ours.lm_head.weight)


def test_a_config_that_ties_two_different_matrices_is_refused(folder):
    text = (folder / "config.json").read_text().replace('"tie_word_embeddings": false', '"tie_word_embeddings": true')
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match="set tie_word_embeddings to false"):
        Qwen.from_pretrained(folder)


@pytest.mark.parametrize(
    ("value", "dtype", "remedy"),
    [
        pytest.param(float("nan"), torch.float32, r"nothing was saved .* go back to an earlier step", id="NaN"),
        pytest.param(1e6, torch.float16, r"or save in torch\.float32", id="too large for float16"),
        pytest.param(0.5, torch.int8, r"use torch\.bfloat16 for a small file", id="whole numbers"),
    ],
)
def test_weights_that_could_not_be_loaded_again_are_not_saved_over_good_ones(folder, value, dtype, remedy):
    old = (folder / "model.safetensors").read_bytes()
    model = Qwen(CONFIG, torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.lm_head.weight[0, 0] = value
    with pytest.raises(ValueError, match=remedy):
        model.save_pretrained(folder, dtype=dtype)
    assert (folder / "model.safetensors").read_bytes() == old


def test_the_file_says_that_it_is_pytorchs_and_may_be_read_by_others(folder):
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode


def test_a_config_that_is_no_object_is_named(folder):
    (folder / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="must hold one JSON object; copy the file of the model again"):
        Qwen.from_pretrained(folder)


def test_a_config_of_other_bytes_than_text_is_named(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="copy the file of the model again"):
        Qwen.from_pretrained(folder)
