"""The whole model against `transformers`' Qwen2 and Llama with the same random weights: ours and theirs."""

import inspect
import sys

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from minqwen.model import Qwen, QwenConfig
from minqwen.model.cache import KVCache

SHAPES = {
    "one head a key": QwenConfig(
        vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, max_length=32
    ),
    "grouped heads": QwenConfig(vocab_size=61, d_model=60, n_layers=3, n_heads=6, n_kv_heads=2, d_ff=37, max_length=32),
    "one key for all heads": QwenConfig(
        vocab_size=67, d_model=56, n_layers=1, n_heads=4, n_kv_heads=1, d_ff=71, max_length=32
    ),
    "another base and eps": QwenConfig(
        vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, rope_base=1e6, norm_eps=0.3
    ),
    "tied embeddings": QwenConfig(
        vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, tie_embeddings=True
    ),
    "Llama's shape: no biases, grouped heads, tied": QwenConfig(
        vocab_size=61, d_model=60, n_layers=3, n_heads=6, n_kv_heads=2, d_ff=37, qkv_bias=False, tie_embeddings=True
    ),
    "the tiny Qwen": QwenConfig(),
}


def pair(config: QwenConfig) -> tuple[Qwen, PreTrainedModel]:
    """Our model and theirs, both with the same weights, large enough that every part matters."""
    generator = torch.Generator().manual_seed(0)
    ours = Qwen(config, generator).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    hub = config.to_hub()
    made, kind = (Qwen2ForCausalLM, Qwen2Config) if config.qkv_bias else (LlamaForCausalLM, LlamaConfig)
    theirs = made(kind(**hub, attn_implementation="eager", attention_dropout=0.0)).eval()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def random_ids(config: QwenConfig, B: int, T: int) -> torch.Tensor:
    return torch.randint(0, config.vocab_size, (B, T), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@torch.no_grad()
def test_logits_equal_those_of_transformers(config):
    ours, theirs = pair(config)
    ids = random_ids(config, B=3, T=17)
    scale = theirs(ids).logits.abs().max()
    torch.testing.assert_close(ours(ids) / scale, theirs(ids).logits / scale, atol=1e-5, rtol=0)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@torch.no_grad()
def test_left_padding_changes_no_logit_and_agrees_with_transformers(config):
    ours, theirs = pair(config)
    ids = random_ids(config, B=3, T=13)
    is_token = torch.ones(3, 13, dtype=torch.bool)
    is_token[1, :5], is_token[2, :11] = False, False
    positions = (is_token.cumsum(-1) - 1).clamp(min=0)
    expected = theirs(ids, attention_mask=is_token.long(), position_ids=positions).logits
    scale = expected.abs().max()
    padded = ours(ids, is_token)
    torch.testing.assert_close(padded[is_token] / scale, expected[is_token] / scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded[1, 5:] / scale, ours(ids[1:2, 5:])[0] / scale, atol=1e-5, rtol=0)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("padding", [0, 3], ids=["no padding", "left padding"])
@torch.no_grad()
def test_cached_decoding_equals_one_pass_over_everything(config, padding):
    ours, theirs = pair(config)
    ids = random_ids(config, B=2, T=11)
    is_token = torch.ones(2, 11, dtype=torch.bool)
    is_token[1, :padding] = False
    given = is_token if padding else None
    cache = KVCache(config, batch_size=2, capacity=11)
    pieces, start = [], 0
    for stop in (5, 6, 7, 10, 11):  # a prompt, single tokens, and a chunk that attends to the cache and to itself
        pieces.append(ours(ids[:, start:stop], None if given is None else given[:, :stop], cache))
        start = stop
    whole = ours(ids, given)
    scale = whole.abs().max()
    torch.testing.assert_close(
        (torch.cat(pieces, dim=1) / scale)[is_token], (whole / scale)[is_token], atol=1e-5, rtol=0
    )
    positions = (is_token.cumsum(-1) - 1).clamp(min=0)
    expected = theirs(ids, attention_mask=is_token.long(), position_ids=positions).logits
    torch.testing.assert_close((whole / scale)[is_token], (expected / scale)[is_token], atol=1e-5, rtol=0)


@torch.no_grad()
def test_no_logit_sees_the_future():
    ours, _ = pair(SHAPES["grouped heads"])
    ids = random_ids(ours.config, B=1, T=11)
    changed = ids.clone()
    changed[0, 7:] = (ids[0, 7:] + 1) % ours.config.vocab_size
    before, after = ours(ids), ours(changed)
    assert before[0, :7].equal(after[0, :7])
    assert not before[0, 7:].allclose(after[0, 7:])


@torch.no_grad()
def test_a_float64_model_computes_in_float64():
    ours, _ = pair(SHAPES["grouped heads"])
    ids = random_ids(ours.config, B=2, T=7)
    single, double = ours(ids), ours.double()(ids)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single / double.abs().max(), (double / double.abs().max()).float(), atol=1e-5, rtol=0)


def norm_in_its_own_dtype(theirs: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self, x):
        return self.weight * x * (x.square().mean(dim=-1, keepdim=True) + self.variance_epsilon).rsqrt()

    monkeypatch.setattr(type(theirs.model.norm), "forward", forward)


def rotation_in_its_own_dtype(theirs: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    base, d_head = theirs.config.rope_parameters["rope_theta"], theirs.model.layers[0].self_attn.head_dim

    def forward(self, x, position_ids):
        frequencies = base ** (-torch.arange(0, d_head, 2, dtype=x.dtype) / d_head)
        angles = (position_ids[..., None] * frequencies).repeat(1, 1, 2)
        return angles.cos(), angles.sin()

    monkeypatch.setattr(type(theirs.model.rotary_emb), "forward", forward)


def softmax_in_its_own_dtype(theirs: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    modelling = sys.modules[type(theirs).__module__]
    monkeypatch.setattr(modelling.nn.functional, "softmax", lambda scores, dim, dtype: scores.softmax(dim))


FLOAT32_ONLY = [norm_in_its_own_dtype, rotation_in_its_own_dtype, softmax_in_its_own_dtype]


def float64_difference(config: QwenConfig, patches: list, monkeypatch: pytest.MonkeyPatch) -> float:
    """The largest difference of two float64 models' logits, as a share of the largest logit."""
    ours, theirs = (model.double() for model in pair(config))
    for patch in patches:
        patch(theirs, monkeypatch)
    ids = random_ids(config, B=3, T=17)
    expected = theirs(ids).logits
    return float((ours(ids) - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@torch.no_grad()
def test_logits_equal_those_of_transformers_to_ten_digits_once_it_computes_in_float64(config, monkeypatch):
    assert float64_difference(config, FLOAT32_ONLY, monkeypatch) < 1e-10


@pytest.mark.parametrize("left_out", FLOAT32_ONLY, ids=lambda patch: patch.__name__)
@pytest.mark.parametrize("name", ["grouped heads", "Llama's shape: no biases, grouped heads, tied"])
@torch.no_grad()
def test_each_of_the_three_places_is_what_keeps_transformers_from_ten_digits(name, left_out, monkeypatch):
    others = [patch for patch in FLOAT32_ONLY if patch is not left_out]
    assert 1e-9 < float64_difference(SHAPES[name], others, monkeypatch) < 1e-5


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_the_number_of_parameters_is_the_formula(config):
    assert Qwen(config).config.n_parameters == sum(p.numel() for p in Qwen(config).parameters())


def test_the_formula_gives_the_seven_billion_of_the_report():
    config = QwenConfig(
        vocab_size=151936, d_model=4096, n_layers=32, n_heads=32, n_kv_heads=32, d_ff=11008, max_length=2048
    )
    assert config.n_parameters == 7_721_324_544


def test_the_same_generator_draws_the_same_weights():
    first, second = (Qwen(SHAPES["grouped heads"], torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(a.equal(b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))
    assert first.model.layers[0].self_attn.o_proj.weight.std() < first.model.layers[0].self_attn.q_proj.weight.std()


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_a_saved_folder_opens_in_transformers(config, tmp_path):
    ours, theirs = pair(config)
    ours.save_pretrained(tmp_path)
    ids = random_ids(ours.config, B=2, T=7)
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    with torch.no_grad():
        torch.testing.assert_close(reloaded(ids).logits, theirs(ids).logits)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("shard_size", ["1GB", "20kB"], ids=["one file", "shards"])
def test_a_folder_saved_by_transformers_opens_in_minqwen(config, shard_size, tmp_path):
    ours, theirs = pair(config)
    theirs.save_pretrained(tmp_path, max_shard_size=shard_size)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard_size == "20kB")
    ids = random_ids(ours.config, B=2, T=7)
    again = Qwen.from_pretrained(tmp_path)
    assert again.config == config
    with torch.no_grad():
        torch.testing.assert_close(again(ids), ours(ids))


@pytest.mark.parametrize(
    ("ids", "remedy"),
    [
        pytest.param([[0, 61]], "encode the text with the tokenizer of this model", id="one past the vocabulary"),
        pytest.param([[-1, 3]], "encode the text with the tokenizer of this model", id="negative"),
        pytest.param([[]], r"start an empty prompt with <\|endoftext\|>", id="empty"),
    ],
)
def test_ids_that_cannot_be_are_refused_with_the_way_out(ids, remedy):
    model = Qwen(SHAPES["one head a key"])
    with pytest.raises(ValueError, match=remedy):
        model(torch.tensor(ids, dtype=torch.long))


def test_matrices_that_write_into_the_stream_start_smaller():
    layer = Qwen(QwenConfig(), torch.Generator().manual_seed(0)).model.layers[3]
    for matrix in (layer.self_attn.o_proj, layer.mlp.down_proj):
        assert matrix.weight.std().item() == pytest.approx(0.02 / (2 * 6) ** 0.5, rel=0.02)
    for matrix in (layer.self_attn.q_proj, layer.mlp.up_proj):
        assert matrix.weight.std().item() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(
    "is_token",
    [torch.ones(2, 6, dtype=torch.bool), torch.ones(2, 7)],
    ids=["one too short", "ones and zeros"],
)
def test_padding_of_the_wrong_kind_names_the_shape(is_token):
    model = Qwen(SHAPES["one head a key"])
    bare = inspect.unwrap(Qwen.hidden)
    with pytest.raises(ValueError, match=r"boolean of shape \(B, S\) = \(2, 7\).* use attention_mask == 1"):
        bare(model, torch.zeros(2, 7, dtype=torch.long), is_token)


def test_one_text_without_a_batch_axis_is_told_how_to_get_one():
    with pytest.raises(ValueError, match=r"use ids\[None\]"):
        inspect.unwrap(Qwen.hidden)(Qwen(SHAPES["one head a key"]), torch.zeros(7, dtype=torch.long))
