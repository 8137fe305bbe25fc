"""Bytes of a step. Oracles: tensors counted one by one; the parameters of models; numbers printed in papers."""

import pytest
import torch
from torch import nn

from minqwen.adapt import lora, memory, qlora
from minqwen.model import Qwen, QwenConfig, loss, training

SHAPES = {
    "small": dict(vocab_size=101, d_model=24, n_layers=3, n_heads=3, n_kv_heads=3, d_ff=40),
    "grouped": dict(vocab_size=61, d_model=48, n_layers=2, n_heads=6, n_kv_heads=2, d_ff=72, qkv_bias=False),
    "wide vocabulary": dict(vocab_size=997, d_model=32, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=56),
}
SEVEN = memory.Sizes(151_936, 4096, 32, 32, 32, 11_008)
EIGHT = memory.Sizes(128_256, 4096, 32, 32, 8, 14_336, qkv_bias=False)  # Llama 3 8B


def prepared(model, method, rank):
    if method == "QLoRA":
        qlora.add_qlora(model, "layers.*proj", rank, 1.0)
    elif method != "full":
        lora.add_lora(model, "layers.*proj", rank, 1.0)
    if method == "LoRA + embeddings":
        model.model.embed_tokens.requires_grad_(True), model.lm_head.requires_grad_(True)
    return model


@pytest.mark.parametrize("method", memory.METHODS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("B", "T"), [(2, 19), (5, 7)])
def test_every_part_is_predicted_within_a_tenth(method, shape, B, T):
    model = prepared(Qwen(QwenConfig(max_length=64, **shape), torch.Generator().manual_seed(0)), method, rank := 3)
    ids = torch.randint(shape["vocab_size"], (B, T + 1), generator=torch.Generator().manual_seed(1))
    optimizer = training.adamw(model)
    found, _ = memory.measure(model, optimizer, lambda: loss.next_token_loss(model(ids[:, :-1]), ids[:, 1:]))
    expected = memory.predict(memory.Sizes(**shape), method, B, T, rank)
    assert expected.weights == pytest.approx(found.weights, rel=0.02)
    assert expected.gradients == found.gradients
    assert expected.adam == pytest.approx(found.adam, rel=0.05)
    assert expected.activations == pytest.approx(found.activations, rel=0.02)
    assert expected.total == pytest.approx(found.total, rel=0.02)


def test_a_measured_step_is_a_step_and_leaves_no_gradient():
    torch.manual_seed(0)
    model, x = nn.Linear(5, 3), torch.randn(7, 5)
    before = [p.detach().clone() for p in model.parameters()]
    _, value = memory.measure(model, torch.optim.SGD(model.parameters(), 0.1), lambda: model(x).square().sum())
    expected = (x @ before[0].mT + before[1]).square().sum().item()
    assert value == pytest.approx(expected)
    assert all(p.grad is None for p in model.parameters())
    assert not any(old.equal(new) for old, new in zip(before, model.parameters()))


def test_half_types_take_half_the_bytes_of_what_stays():
    whole, half = (memory.predict(SEVEN, "LoRA", 2, 256, kept=kept, learned=4.0) for kept in (4.0, 2.0))
    assert half.activations == whole.activations / 2
    assert half.adam == whole.adam and half.gradients == whole.gradients and half.weights < whole.weights


def test_the_parameters_are_those_of_a_model():
    for shape in (*SHAPES.values(), SHAPES["small"] | {"tie_embeddings": True}):
        model = Qwen(QwenConfig(max_length=64, **shape))
        given = {name: value for name, value in shape.items() if name != "tie_embeddings"}
        sizes = memory.Sizes(**given, tied=shape.get("tie_embeddings", False))
        assert memory.predict(sizes, "full", 1, 1).weights == 4 * sum(p.numel() for p in model.parameters())


def test_the_adapters_of_qwen_7b_have_as_many_numbers_as_its_script_makes():
    """finetune.py adapts c_attn, both c_proj, w1 and w2 with rank 64: 143,130,624 numbers."""
    C, width = 4096, 11_008
    fused = [(3 * C, C), (C, C), (width, C), (width, C), (C, width)] * 32
    assert memory.count_lora_parameters(fused, 64) == 143_130_624


def test_the_numbers_of_llama_2_that_tutorials_print():
    assert memory.count_lora_parameters([(4096, 4096)] * 2 * 32, 8) == 4_194_304


def test_eight_billion_parameters_take_128_gigabytes_in_full():
    held = memory.predict(EIGHT, "full", 1, 1)
    assert held.weights + held.gradients + held.adam == pytest.approx(128e9, rel=0.005)


def test_less_than_a_hundredth_learns_at_rank_eight():
    share = memory.count_lora_parameters(SEVEN.matrices, 8) / (memory.predict(SEVEN, "full", 1, 1).weights / 4)
    assert 0.002 < share < 0.01


def test_quantised_bytes_are_those_of_a_layer():
    for m, n in ((7, 11), (64, 64), (300, 257)):
        layer = qlora.NF4Linear(nn.Linear(n, m, bias=False))
        assert memory.quantised_bytes(m * n) == round(layer.bits * m * n / 8)


def test_a_method_that_is_none_is_refused():
    with pytest.raises(ValueError, match="choose one of full, LoRA"):
        memory.predict(SEVEN, "lora", 1, 1)
