"""The Transformer of 2017 against `torch.nn.Transformer` with the same weights, and the masks against plain loops."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minqwen.model import attention, transformer
from minqwen.model.transformer import Transformer, TransformerConfig

B, T, S, C, H, F, V = 3, 5, 7, 22, 2, 13, 17
CONFIG = TransformerConfig(vocab_size=V, d_model=C, n_layers=2, n_heads=H, d_ff=F)
both_orders = pytest.mark.parametrize("norm_first", [False, True], ids=["norm after", "norm before"])
SOURCE_LENGTHS, TARGET_LENGTHS = [7, 3, 5], [2, 5, 4]


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def kept(lengths: list[int], longest: int) -> torch.Tensor:
    return torch.arange(longest) < torch.tensor(lengths)[:, None]


def make(dtype: torch.dtype = torch.float64, **changes: object) -> Transformer:
    """A model whose norms and biases are drawn as well: at their start values they would hide mistakes."""
    model, generator = Transformer(dataclasses.replace(CONFIG, **changes), rng()).to(dtype), rng()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator).to(dtype) / 2)
    return model


def peer(model: Transformer) -> nn.Transformer:
    """torch's own, with the weights of ours: every name is found on both sides."""
    theirs = nn.Transformer(
        C, H, 2, 2, F, dropout=0.0, batch_first=True, norm_first=model.config.norm_first, dtype=torch.float64
    ).to(model.embedding.weight.dtype)
    weights = {name: w for name, w in model.state_dict().items() if not name.startswith("embedding")}
    theirs.load_state_dict(weights, strict=True)
    return theirs


def given() -> tuple[torch.Tensor, ...]:
    generator = rng()
    source = torch.randint(0, V, (B, S), generator=generator)
    target = torch.randint(0, V, (B, T), generator=generator)
    return source, target, kept(SOURCE_LENGTHS, S), kept(TARGET_LENGTHS, T)


@both_orders
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)], ids=["float64", "float32"]
)
def test_the_stacks_equal_torch_under_padding_and_causal_masks(norm_first, dtype, tolerance):
    model, (source, target, is_source, is_target) = make(dtype, norm_first=norm_first), given()
    theirs = peer(model)
    x, y = model.embed(source), model.embed(target)
    expected = theirs(
        x,
        y,
        tgt_mask=~attention.causal_mask(T, T),  # in torch True is what may not be attended to
        src_key_padding_mask=~is_source,
        tgt_key_padding_mask=~is_target,
        memory_key_padding_mask=~is_source,
    )
    mask, memory_mask = transformer.target_mask(is_target), is_source[:, None, None, :]
    ours = model.decoder(y, model.encoder(x, memory_mask), mask, memory_mask)
    assert_close(ours, expected, atol=tolerance, rtol=0)


@both_orders
def test_gradients_equal_those_of_torch(norm_first):
    model, (source, target, *_) = make(norm_first=norm_first), given()
    theirs = peer(model)
    x, y = model.embed(source).detach(), model.embed(target).detach()
    full = torch.ones(B, T, dtype=torch.bool)
    model.decoder(y, model.encoder(x), transformer.target_mask(full)).square().sum().backward()
    theirs(x, y, tgt_mask=~attention.causal_mask(T, T)).square().sum().backward()
    for name, parameter in theirs.named_parameters():
        assert_close(model.get_parameter(name).grad, parameter.grad, atol=1e-9, rtol=1e-9)


def test_the_mask_of_the_target_is_its_definition():
    is_token = kept(TARGET_LENGTHS, T)
    expected = [[[[s <= t and s < n for s in range(T)] for t in range(T)]] for n in TARGET_LENGTHS]
    assert transformer.target_mask(is_token).tolist() == expected


@both_orders
def test_padding_changes_nothing(norm_first):
    model, (source, target, is_source, is_target) = make(norm_first=norm_first), given()
    together = model(source, target, is_source, is_target)
    for b, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS)):
        alone = model(source[b : b + 1, :s], target[b : b + 1, :t], is_source[b : b + 1, :s], is_target[b : b + 1, :t])
        assert_close(together[b, :t], alone[0])


@both_orders
def test_a_later_token_of_the_target_changes_nothing_before_it(norm_first):
    model, (source, target, is_source, _) = make(norm_first=norm_first), given()
    full, changed = torch.ones(B, T, dtype=torch.bool), target.clone()
    changed[:, 3] = (changed[:, 3] + 1) % V
    before, after = model(source, target, is_source, full), model(source, changed, is_source, full)
    assert_close(before[:, :3], after[:, :3])
    assert (before[:, 3:] - after[:, 3:]).abs().amax(dim=-1).min() > 1e-3


def test_every_token_of_the_source_reaches_every_logit_of_the_target():
    model, (source, target, *_) = make(), given()
    x = model.embed(source).detach().requires_grad_()
    full = torch.ones(B, T, dtype=torch.bool)
    out = model.decode(target, model.encoder(x, None), full, torch.ones(B, S, dtype=torch.bool))
    for t in range(T):
        (reached,) = torch.autograd.grad(out[:, t].square().sum(), x, retain_graph=True)
        assert reached.abs().sum(dim=-1).min() > 0


def test_embeddings_are_scaled_and_sinusoids_added():
    model = make()
    ids = torch.tensor([[4, 4]])
    first, second = model.embed(ids)[0]
    row = model.embedding.weight[4] * C**0.5
    assert_close(first, row + torch.tensor([0.0, 1.0] * (C // 2), dtype=torch.float64))
    assert_close((second - row)[0], torch.tensor(1.0, dtype=torch.float64).sin(), atol=1e-6, rtol=0)


def test_weights_come_from_the_generator_alone():
    one, two = Transformer(CONFIG, rng()), Transformer(CONFIG, rng())
    assert all(a.equal(b) for a, b in zip(one.parameters(), two.parameters()))


def test_a_saved_model_comes_back(tmp_path):
    model = make(torch.float32, norm_first=True)
    model.save_pretrained(tmp_path)
    again = Transformer.from_pretrained(tmp_path)
    assert again.config == model.config
    assert all(a.equal(b) for a, b in zip(model.parameters(), again.parameters()))


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"d_model": 22, "n_heads": 4}, "the nearest width that does is 20"),
        ({"n_layers": 0}, "n_layers=0 must be at least 1"),
        ({"d_model": 21, "n_heads": 3}, "use d_model=22"),
    ],
    ids=["heads", "no layer", "odd width"],
)
def test_a_shape_that_cannot_be_is_refused_with_its_remedy(changes, remedy):
    with pytest.raises(ValueError, match=remedy):
        dataclasses.replace(CONFIG, **changes)


def test_a_row_that_is_all_padding_is_finite():
    model, (source, target, is_source, is_target) = make(), given()
    is_source[1] = False
    assert model(source, target, is_source, is_target).isfinite().all()


def forgetting_the_memory(self, x, memory):
    return real_queries_keys_values(self, x, x if x.shape == memory.shape else memory.roll(1, dims=0))


def keys_and_values_exchanged(self, x, memory):
    q, k, v = real_queries_keys_values(self, x, memory)
    return q, v, k


def not_around(self, x, part, layer_norm):
    return layer_norm(part(x))


def the_other_order(self, x, part, layer_norm):
    return layer_norm(x + part(x)) if self.norm_first else x + part(layer_norm(x))


def everything_allowed(is_token):
    return torch.ones(*is_token.shape[:1], 1, is_token.shape[1], is_token.shape[1], dtype=torch.bool)


def queries_for_keys(is_token):
    return attention.causal_mask(is_token.shape[1], is_token.shape[1]) & is_token[:, None, :, None]


real_queries_keys_values = transformer.MultiHeadAttention.queries_keys_values


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (transformer.MultiHeadAttention, "queries_keys_values", forgetting_the_memory),
        (transformer.MultiHeadAttention, "queries_keys_values", keys_and_values_exchanged),
        (transformer.Layer, "add", not_around),
        (transformer.Layer, "add", the_other_order),
        (transformer, "target_mask", everything_allowed),
        (transformer, "target_mask", queries_for_keys),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_wrong_part_does_not_equal_torch(owner, name, wrong, monkeypatch):
    monkeypatch.setattr(owner, name, wrong)
    for norm_first in (False, True):
        with pytest.raises(AssertionError):
            test_the_stacks_equal_torch_under_padding_and_causal_masks(norm_first, torch.float64, 1e-10)
