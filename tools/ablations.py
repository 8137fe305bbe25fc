"""One part of the Qwen block changed at a time: small models trained side by side, in pairs that share their seed.

Qwen Technical Report (arXiv:2309.16609), section 2.3.1. The model knows nothing of this: parts are exchanged after it
was built, and what a variant does not exchange starts from the same numbers as its Qwen and reads the same batches.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import pretrain
from minqwen import assets
from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, training
from minqwen.model.block import Block
from minqwen.tokenizer import Tokenizer

SIZE = {"d_model": 96, "n_layers": 4, "n_heads": 3, "n_kv_heads": 3, "d_ff": 256, "max_length": 128}
RECIPE = {**SIZE, "batch_size": 8, "steps": 400, "peak": 5e-3, "warmup": 40, "evaluate_every": 50, "windows": 48}
LONGER = (2, 4)  # times the training length, measured after the last step


class Variant(NamedTuple):
    """What is changed, what is expected of it before anything ran, and how: by configuration, by exchange, or both."""

    change: str
    expected: str
    config: Mapping[str, Any] = {}
    exchange: Callable[[Qwen, torch.Generator], None] | None = None


class NormAfter(nn.Module):
    """A block of 2017: norm(x + attention(x)), then norm(· + mlp(·)), of the parts of a pre-norm block."""

    def __init__(self, block: Block):
        super().__init__()
        self.input_layernorm, self.self_attn = block.input_layernorm, block.self_attn
        self.post_attention_layernorm, self.mlp = block.post_attention_layernorm, block.mlp

    def forward(self, x: Tensor, *context: Any) -> Tensor:
        """`context` is what attention gets besides x."""
        x = self.input_layernorm(x + self.self_attn(x, *context))
        return self.post_attention_layernorm(x + self.mlp(x))


def layer_norm(model: Qwen, generator: torch.Generator) -> None:
    """LayerNorm, with its bias, for every RMSNorm."""

    def fresh() -> nn.LayerNorm:
        return nn.LayerNorm(model.config.d_model, eps=model.config.norm_eps)

    for block in model.model.layers:
        block.input_layernorm, block.post_attention_layernorm = fresh(), fresh()
    model.model.norm = fresh()


def relu(model: Qwen, generator: torch.Generator) -> None:
    """Two matrices around a ReLU for the three of SwiGLU, half as wide again: the same number of parameters."""
    wide = 3 * model.config.d_ff // 2
    for block in model.model.layers:
        swiglu = block.mlp
        first = nn.Linear(model.config.d_model, wide, bias=False)
        second = nn.Linear(wide, model.config.d_model, bias=False)
        for new, old in ((first, swiglu.up_proj), (second, swiglu.down_proj)):
            nn.init.normal_(new.weight, std=old.weight.std().item(), generator=generator)
        block.mlp = nn.Sequential(first, nn.ReLU(), second)


def norm_after(model: Qwen, generator: torch.Generator) -> None:
    """Each block normalises the stream itself, after it has added to it."""
    model.model.layers = nn.ModuleList(NormAfter(block) for block in model.model.layers)


SAME, WORSE = "no difference", "worse"
VARIANTS = {
    "Qwen": Variant("nothing: RMSNorm before, SwiGLU, biases on Q, K and V, untied", "the one that all are held to"),
    "LayerNorm": Variant("LayerNorm for RMSNorm", SAME, exchange=layer_norm),
    "ReLU": Variant("two matrices and a ReLU of width 4C for SwiGLU", WORSE, exchange=relu),
    "no QKV bias": Variant("no biases at all", f"{SAME}; {WORSE} beyond the training length", {"qkv_bias": False}),
    "tied": Variant("one matrix reads and says tokens", WORSE, {"tie_embeddings": True}),
    "norm after": Variant("normalise after each addition, as in 2017", WORSE, exchange=norm_after),
}


class Texts(NamedTuple):
    """Training documents as ids, and held-out windows by length and language."""

    tokenizer: Tokenizer
    documents: list[list[int]]
    held_out: dict[int, dict[str, pretrain.HeldOut]]


def texts(recipe: Mapping[str, Any]) -> Texts:
    """Both languages, by the shipped vocabulary."""
    tokenizer, length = Tokenizer.from_pretrained(assets.TINY_QWEN), recipe["max_length"]
    held_out = {
        n * length: {language: pretrain.HeldOut(tokenizer, language, n * length) for language in corpus.LANGUAGES}
        for n in (1, *LONGER)
    }
    return Texts(tokenizer, pretrain.training_documents(tokenizer), held_out)


def build(variant: str, recipe: Mapping[str, Any], seed: int) -> Qwen:
    """The variant's model at its start."""
    config = dataclasses.replace(QwenConfig(**{name: recipe[name] for name in SIZE}), **VARIANTS[variant].config)
    model = Qwen(config, torch.Generator().manual_seed(seed))
    if VARIANTS[variant].exchange:
        VARIANTS[variant].exchange(model, torch.Generator().manual_seed(seed))
    return model


def measure(variant: str, recipe: Mapping[str, Any], seed: int, prepared: Texts) -> list[dict[str, Any]]:
    """One record an evaluation: steps done, training loss since the last one, held-out bits per byte."""
    model, length = build(variant, recipe, seed), recipe["max_length"]
    order = torch.Generator().manual_seed(seed)
    windows = pretrain.shuffled_windows(prepared.documents, prepared.tokenizer, length, order)
    batches = training.shuffled_batches(windows, recipe["batch_size"], order)
    records, losses = [], []
    fast = {"bfloat16": training.multiplies_bfloat16()}
    for step in training.train(model, batches, recipe["steps"], recipe["peak"], recipe["warmup"], **fast):
        losses.append(step.loss)
        if (step.step + 1) % recipe["evaluate_every"] == 0:
            bits = bits_per_byte(model, prepared.held_out[length], recipe["windows"])
            records.append({"step": step.step + 1, "loss": sum(losses) / len(losses), "bits_per_byte": bits})
            losses.clear()
    records[-1]["parameters"] = sum(p.numel() for p in model.parameters())
    records[-1]["longer"] = {
        str(n * length): bits_per_byte(model, prepared.held_out[n * length], recipe["windows"] // n) for n in LONGER
    }
    return records


def bits_per_byte(model: Qwen, held_out: Mapping[str, pretrain.HeldOut], n_windows: int) -> dict[str, float]:
    """Of each language, over about `n_windows` windows."""
    return {language: windows.bits_per_byte(model, n_windows) for language, windows in held_out.items()}
