"""QLoRA. Oracles: the definition in loops, the same layer with its weight dequantised by hand, `bitsandbytes`."""

import copy

import bitsandbytes.functional as bnb
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minqwen.adapt import adapter_files, lora, nf4, qlora
from minqwen.model import Qwen, QwenConfig, loss

IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny():
    sizes = dict(vocab_size=17, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=39, max_length=13)
    return Qwen(QwenConfig(**sizes), rng())


def speaking(model, seed=2):
    for layer in lora.adapters(model).values():
        nn.init.normal_(layer.b, 0.0, 0.3, generator=rng(seed))
    return model


def scales(n, seed=0):
    return torch.randn(n, generator=rng(seed)).abs() + 2.0


@pytest.mark.parametrize(("n", "block"), [(7, 3), (256, 256), (300, 256), (11, 64), (1, 4)])
def test_double_quantize_is_its_definition_in_loops(n, block):
    absmax = scales(n)
    d = qlora.double_quantize(absmax, block)
    mean = sum(absmax.tolist()) / n
    steps = [max(abs(s - mean) for s in absmax[i : i + block].tolist()) / 127 for i in range(0, n, block)]
    assert_close(d.steps, torch.tensor(steps), atol=1e-6, rtol=1e-4)
    expected = [
        (s - mean) / steps[i // block] if steps[i // block] > 1e-6 else 0 for i, s in enumerate(absmax.tolist())
    ]
    assert all(abs(code - value) <= 0.5 + 1e-3 for code, value in zip(d.codes.tolist(), expected))
    assert (qlora.double_dequantize(d, block) - absmax).abs().max() <= max(steps) / 2 + 1e-6


def test_equal_scales_and_no_scales_come_back_exactly():
    for absmax in (torch.full((300,), 0.7), torch.zeros(5), torch.zeros(0)):
        d = qlora.double_quantize(absmax)
        assert_close(qlora.double_dequantize(d), absmax, atol=1e-6, rtol=0)
        assert d.mean.isfinite()


def test_whole_numbers_keep_scales_as_well_as_the_dynamic_floats_of_bitsandbytes():
    w = torch.randn(1024, 1024, generator=rng())
    absmax = nf4.nf4_quantize(w).absmax
    ours = qlora.double_dequantize(qlora.double_quantize(absmax))
    centred = absmax - absmax.mean()
    theirs = bnb.dequantize_blockwise(*bnb.quantize_blockwise(centred, blocksize=256)) + absmax.mean()
    assert (ours - absmax).abs().mean() < (theirs - absmax).abs().mean()


def test_a_weight_takes_four_bits_and_an_eighth():
    layer = qlora.NF4Linear(nn.Linear(1024, 1024))
    assert layer.bits == pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-4)
    assert round(layer.bits, 3) == 4.127
    small = qlora.NF4Linear(nn.Linear(11, 7))
    assert small.bits * 77 == 8 * sum(x.nbytes for name, x in small.named_buffers() if name != "shape")


def test_a_layer_keeps_its_type_and_may_have_blocks_of_another_size():
    linear = nn.Linear(64, 32).bfloat16()
    layer = qlora.QLoRALinear(linear, 2, 4.0, block=32)
    assert layer.base.weight.dtype == torch.bfloat16 and layer(torch.ones(3, 64).bfloat16()).dtype == torch.bfloat16
    q = nf4.nf4_quantize(linear.weight, 32)
    assert layer.base.packed.equal(q.packed) and len(layer.base.codes) == len(q.absmax) == 64
    assert (layer.base.weight - linear.weight).abs().max() < 0.2 * linear.weight.abs().max()


@pytest.mark.parametrize("sizes", [(7, 11), (64, 64), (13, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_computes_with_the_dequantised_weight_whatever_its_size(sizes, bias):
    linear = nn.Linear(*sizes, bias=bias)
    layer = qlora.NF4Linear(linear)
    x = torch.randn(3, sizes[0])
    assert layer.weight.shape == linear.weight.shape
    assert_close(layer(x), nn.functional.linear(x, layer.weight, linear.bias))
    assert (layer.weight - linear.weight).abs().max() < 0.2 * linear.weight.abs().max()


def test_gradients_are_those_of_lora_beside_the_dequantised_weight():
    linear = nn.Linear(28, 39)
    quantised = qlora.QLoRALinear(linear, 3, 6.0, generator=rng())
    nn.init.normal_(quantised.b, generator=rng(1))
    plain = nn.Linear(28, 39)
    plain.weight, plain.bias = nn.Parameter(quantised.base.weight), linear.bias
    full = lora.LoRALinear(plain, 3, 6.0)
    full.a, full.b = nn.Parameter(quantised.a.data.clone()), nn.Parameter(quantised.b.data.clone())
    grads = []
    for layer in (quantised, full):
        x = torch.randn(5, 28, generator=rng(3)).requires_grad_()
        layer(x).square().sum().backward()
        grads.append((x.grad, layer.a.grad, layer.b.grad))
    assert_close(*grads)


def test_only_adapters_learn_and_no_weight_is_left_in_full():
    model = tiny()
    names = qlora.add_qlora(model, "layers.*proj", 3, 6.0, generator=rng(1))
    loss.next_token_loss(model(IDS[:, :-1]), IDS[:, 1:]).backward()
    learns = {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.rpartition(".")[2] for name in learns} == {"a", "b"} and len(learns) == 2 * len(names) == 28
    assert not [n for n, _ in model.named_parameters() if n.endswith("proj.base.weight")]


def test_autograd_keeps_the_input_but_not_the_dequantised_weight():
    layer = qlora.QLoRALinear(nn.Linear(256, 512, bias=False), 2, 4.0, generator=rng())
    nn.init.normal_(layer.b, generator=rng(1))
    x, kept = torch.randn(3, 256, requires_grad=True), []

    def note(tensor):
        kept.append(tuple(tensor.shape))
        return (tensor,)  # as hooks that keep tensors elsewhere do

    with torch.autograd.graph.saved_tensors_hooks(note, lambda packed: packed[0]):
        y = layer(x)
    assert (3, 256) in kept and max(a * b for a, b in kept) <= 2 * 512
    y.sum().backward()
    assert_close(x.grad[0], (layer.base.weight + layer.scale * layer.b @ layer.a).sum(0), atol=1e-4, rtol=1e-4)


def test_merging_gives_full_precision_and_quantising_the_merged_weight_again_loses():
    layer = qlora.QLoRALinear(nn.Linear(64, 96, bias=False), 4, 8.0, generator=rng(1))
    nn.init.normal_(layer.b, 0.0, 0.02, generator=rng(2))
    x = torch.randn(5, 64, generator=rng(3))
    before = layer(x)
    layer.merge()
    assert_close(layer(x), before, atol=1e-5, rtol=1e-5)
    merged = layer.base.weight
    again = nf4.nf4_dequantize(nf4.nf4_quantize(merged))
    assert (x @ again.mT - before).abs().mean() > 100 * (layer(x) - before).abs().mean()
    layer.unmerge()
    assert layer(x).equal(before)


def test_switched_off_it_is_the_quantised_model():
    model = tiny()
    qlora.add_qlora(model, "layers.*proj", 3, 6.0)
    before = model(IDS)
    speaking(model)
    with lora.switched_off(model):
        assert model(IDS).equal(before)
    assert not model(IDS).allclose(before)


def test_adapters_go_to_a_file_and_come_back_onto_the_quantised_model(tmp_path):
    model = tiny()
    qlora.add_qlora(model, "layers.*proj", 3, 6.0)
    fresh = copy.deepcopy(model)
    adapter_files.save(speaking(model), tmp_path)
    adapter_files.load(fresh, tmp_path)
    assert fresh(IDS).equal(model(IDS))
    assert all(isinstance(layer, qlora.QLoRALinear) for layer in lora.adapters(fresh).values())


def test_bad_calls_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match="their last parts are"):
        qlora.add_qlora(tiny(), "c_attn", 2, 4.0)
    with pytest.raises(ValueError, match="between 1 and 28"):
        qlora.add_qlora(tiny(), "v_proj", 29, 4.0)
    with pytest.raises(ValueError, match="take block=256"):
        qlora.double_quantize(torch.ones(3), 0)
    broken = tiny()
    nn.init.constant_(broken.model.layers[1].mlp.up_proj.weight, float("nan"))
    with pytest.raises(ValueError, match="go back to an earlier checkpoint"):
        qlora.add_qlora(broken, "up_proj", 2, 4.0)
    assert not lora.adapters(broken)
