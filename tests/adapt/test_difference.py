"""Differences as files. Oracles: the two models, and the error of rounding to a step."""

import lzma

import pytest
import torch
from safetensors.torch import save
from torch import nn

from minqwen.adapt import difference


def net(seed: int, width: int = 64) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(32, width), nn.LayerNorm(width), nn.Linear(width, 8, bias=False))


def tuned_from(base: nn.Module, size: float = 1e-2) -> nn.Module:
    tuned = net(0)
    generator = torch.Generator().manual_seed(1)
    tuned.load_state_dict(
        {name: w + size * torch.randn(w.shape, generator=generator) for name, w in base.state_dict().items()}
    )
    return tuned


@pytest.fixture
def pair():
    base = net(0)
    return base, tuned_from(base)


def test_the_error_is_that_of_rounding_to_a_quarter_of_the_usual_change(pair, tmp_path):
    base, tuned = pair
    difference.save_difference(tuned, base, tmp_path / "d.xz")
    loaded = difference.add_difference(net(0), tmp_path / "d.xz")
    assert loaded.state_dict().keys() == tuned.state_dict().keys()
    for name, weight in tuned.state_dict().items():
        step = (weight - base.state_dict()[name]).square().mean().sqrt() / 4
        error = loaded.state_dict()[name] - weight
        assert error.abs().max() <= step / 2 * (1 + 1e-4), name
        if weight.numel() > 500:
            assert error.std() == pytest.approx(float(step) / 12**0.5, rel=0.1)


def test_a_file_is_a_fraction_of_the_weights_in_half_precision(tmp_path):
    base = net(0, 1024)
    tuned = net(0, 1024)
    with torch.no_grad():
        for w in tuned.parameters():
            w += 1e-3 * torch.randn_like(w)
    difference.save_difference(tuned, base, tmp_path / "d.xz")
    size = sum(w.numel() for w in base.parameters())
    assert 4 * size / 8 < (tmp_path / "d.xz").stat().st_size < 5 * size / 8, "four to five bits a weight"


def test_equal_models_stay_equal_bit_for_bit(tmp_path):
    difference.save_difference(net(0), net(0), tmp_path / "d.xz")
    loaded = difference.add_difference(net(0), tmp_path / "d.xz").state_dict()
    assert all(loaded[name].equal(weight) for name, weight in net(0).state_dict().items())


def test_far_outliers_are_cut_at_127_steps_and_keep_their_sign(pair, tmp_path):
    base, tuned = pair
    with torch.no_grad():
        tuned[0].weight[0, 0] -= 5
    difference.save_difference(tuned, base, tmp_path / "d.xz")
    loaded = difference.add_difference(net(0), tmp_path / "d.xz")
    change = (loaded[0].weight - base[0].weight)[0, 0].item()
    step = (tuned[0].weight - base[0].weight).square().mean().sqrt().item() / 4
    assert change == pytest.approx(-127 * step, rel=1e-4)


def test_another_base_is_refused_and_left_as_it_is(pair, tmp_path):
    base, tuned = pair
    difference.save_difference(tuned, base, tmp_path / "d.xz")
    other = net(3)
    before = {name: weight.clone() for name, weight in other.state_dict().items()}
    with pytest.raises(ValueError, match="other weights of the same shapes"):
        difference.add_difference(other, tmp_path / "d.xz")
    assert all(weight.equal(before[name]) for name, weight in other.state_dict().items())
    with pytest.raises(ValueError, match=r"0.weight has other shapes .* \(64, 32\) against \(65, 32\)"):
        difference.add_difference(net(0, 65), tmp_path / "d.xz")
    with pytest.raises(ValueError, match=r"differ in 1\.bias"):
        difference.add_difference(nn.Sequential(nn.Linear(32, 64)), tmp_path / "d.xz")
    with pytest.raises(ValueError, match="other shapes in the fine-tuned model"):
        difference.save_difference(net(0, 65), base, tmp_path / "e.xz")
    assert not (tmp_path / "e.xz").exists()


def test_broken_weights_are_not_saved(pair, tmp_path):
    base, tuned = pair
    with torch.no_grad():
        tuned[2].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"2.weight holds NaN"):
        difference.save_difference(tuned, base, tmp_path / "d.xz")
    assert not (tmp_path / "d.xz").exists()


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"text", lambda b: lzma.compress(b"text")])
def test_a_damaged_file_is_refused(pair, tmp_path, damage):
    base, tuned = pair
    file = tmp_path / "d.xz"
    difference.save_difference(tuned, base, file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match="damaged"):
        difference.add_difference(base, file)


def test_a_file_of_something_else_is_refused(pair, tmp_path):
    (tmp_path / "d.xz").write_bytes(lzma.compress(save({"0.weight": torch.zeros(2)})))
    with pytest.raises(ValueError, match="holds no differences"):
        difference.add_difference(pair[0], tmp_path / "d.xz")
