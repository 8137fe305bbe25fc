"""The pre-training tool: bits per byte of a model that knows nothing, and a run of three steps from end to end."""

import json
import math
import shutil

import pytest
import torch

import pretrain
from minqwen import assets
from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, attention
from minqwen.tokenizer import Tokenizer

SMALL = QwenConfig(d_model=12, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=8, max_length=16)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_pretrained(assets.TINY_QWEN)


@pytest.fixture
def few_poems(monkeypatch):
    documents = corpus.load("held_out", "zh")[:40]
    monkeypatch.setattr(corpus, "load", lambda split, language=None: documents)
    return documents


def test_a_model_that_knows_nothing_needs_the_logarithm_of_the_vocabulary_a_token(tokenizer, few_poems):
    model = Qwen(SMALL)
    torch.nn.init.zeros_(model.lm_head.weight)
    held_out = pretrain.HeldOut(tokenizer, "zh", length=16)
    tokens = held_out.windows[:, 1:].numel()
    expected = tokens * math.log2(4096) / sum(held_out.bytes)
    assert held_out.bits_per_byte(model, len(held_out.windows)) == pytest.approx(expected, rel=1e-5)


def test_the_bytes_of_a_window_are_those_of_its_text_without_control_tokens(tokenizer, few_poems):
    held_out = pretrain.HeldOut(tokenizer, "zh", length=16)
    texts = [tokenizer.decode(window[1:]).replace("<|endoftext|>", "") for window in held_out.windows.tolist()]
    whole = [(n, text) for n, text in zip(held_out.bytes, texts) if "\N{REPLACEMENT CHARACTER}" not in text]
    assert len(whole) > 10 and all(n == len(text.encode()) for n, text in whole)


def test_the_kernel_used_for_training_is_our_formula():
    q, k, v = torch.randn(3, 2, 3, 7, 10, generator=torch.Generator().manual_seed(0))
    mask = attention.causal_mask(7, 7)
    ours = attention.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(pretrain.fused_attention(q, k, v, mask), ours, atol=1e-6, rtol=0)


def test_a_run_logs_its_recipe_and_leaves_a_model_that_loads(tmp_path, monkeypatch, few_poems):
    folder, log = tmp_path / "model", tmp_path / "runs" / "log.jsonl"
    shutil.copytree(assets.TINY_QWEN, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    monkeypatch.setattr(pretrain, "QwenConfig", lambda: SMALL)
    monkeypatch.setitem(pretrain.RECIPE, "steps", 3)
    monkeypatch.setitem(pretrain.RECIPE, "warmup", 1)
    pretrain.pretrain(folder, log)
    recipe, first, measured, final = (json.loads(line) for line in log.read_text().splitlines())
    assert recipe["parameters"] == SMALL.n_parameters and first["step"] == 0
    assert first["loss"] == pytest.approx(math.log(4096), abs=0.2)
    assert measured["bits_per_byte"].keys() == final["final_bits_per_byte"].keys() == {"en", "zh"}
    assert Qwen.from_pretrained(folder).config == SMALL
    assert attention.scaled_dot_product_attention is not pretrain.fused_attention
