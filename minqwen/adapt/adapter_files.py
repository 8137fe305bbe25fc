"""Adapters as files, in the layout of `peft`: adapter_config.json beside adapter_model.safetensors.

The layout: https://huggingface.co/docs/peft/developer_guides/checkpoint
"""

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from minqwen.adapt import lora, qlora

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX, SUFFIXES = "base_model.model.", {"lora_A": "a", "lora_B": "b"}
# What peft can and we cannot: with another value the same tensors would mean something else.
PLAIN = {
    "use_dora": (False,),
    "use_rslora": (False,),
    "lora_bias": (False,),
    "bias": ("none",),
    "fan_in_fan_out": (False,),
    "modules_to_save": (None, []),
    "alpha_pattern": (None, {}),
}


def save(model: nn.Module, folder: str | Path) -> None:
    """Write the adapters, and nothing of the model below them."""
    layers = lora.adapters(model)
    settings = {(layer.alpha, layer.dropout) for layer in layers.values()}
    if len(settings) != 1:
        raise ValueError(f"a file holds adapters of one alpha and dropout, but these have {sorted(settings) or 'none'}")
    tensors = {
        f"{PREFIX}{name}.{theirs}.weight": getattr(layer, ours).detach().contiguous()
        for name, layer in layers.items()
        for theirs, ours in SUFFIXES.items()
    }
    _refuse_broken(tensors, "nothing was saved; go back to an earlier adapter")
    [(alpha, dropout)], ranks = settings, {name: layer.rank for name, layer in layers.items()}
    common = max(ranks.values(), key=list(ranks.values()).count)
    config = {
        "peft_type": "LORA",
        "r": common,
        "rank_pattern": {name: rank for name, rank in ranks.items() if rank != common},
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "target_modules": list(layers),
        "bias": "none",
        "inference_mode": True,
        "task_type": None,
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load(model: nn.Module, folder: str | Path) -> list[str]:
    """Put the adapters of a folder on a model that has none, or in the place of those it has; their names.

    Everything is compared before the model is touched.
    """
    config, tensors = _read(Path(folder))
    alpha, dropout = _numbers(config, folder)
    pairs: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, part = key.removeprefix(PREFIX).removesuffix(".weight").rpartition(".")
        if part not in SUFFIXES or not key.startswith(PREFIX):
            raise ValueError(f"{folder} holds {key}, which is no LoRA of a linear layer; export A and B alone")
        pairs.setdefault(name, {})[SUFFIXES[part]] = tensor
    present, new = lora.adapters(model), {}
    if any(layer.unmerged for layer in present.values()):
        raise ValueError("the model's adapter is merged; unmerge first")
    if present and present.keys() != pairs.keys():
        raise ValueError(f"the model has adapters on other layers than {folder}; load into a fresh model")
    for name, parts in pairs.items():
        base = present[name].base if name in present else _linear(model, name, folder)
        _compare(name, parts, base)
        kind = qlora.QLoRALinear if isinstance(base, qlora.NF4Linear) else lora.LoRALinear
        new[name] = present.get(name) or kind(base, len(parts["a"]), alpha, dropout)
    lora.attach(model, new)
    for name, layer in new.items():
        layer.rank, layer.alpha, layer.dropout = len(pairs[name]["a"]), alpha, dropout
        layer.a, layer.b = (nn.Parameter(pairs[name][part].to(layer.a.dtype)) for part in ("a", "b"))
    return list(new)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {', '.join(missing)}; a LoRA adapter has both files")
    try:
        config, tensors = json.loads((folder / CONFIG).read_text(encoding="utf-8")), load_file(folder / WEIGHTS)
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{folder} is damaged ({error}); copy both files again") from error
    if not isinstance(config, dict):
        raise ValueError(f"{folder / CONFIG} is no JSON object; copy both files again")
    other = [f"{key}={config[key]!r}" for key, plain in PLAIN.items() if key in config and config[key] not in plain]
    if config.get("peft_type") != "LORA" or "lora_alpha" not in config or other or not tensors:
        told = ", ".join(other) or f"peft_type={config.get('peft_type')!r}"
        raise ValueError(f"{folder} is no plain LoRA ({told}); merge it with peft and load the whole model")
    _refuse_broken(tensors, "copy the file again, or go back to an earlier adapter")
    return config, tensors


def _numbers(config: dict[str, Any], folder: str | Path) -> tuple[float, float]:
    alpha, dropout = config["lora_alpha"], config.get("lora_dropout", 0.0)
    if not all(isinstance(each, int | float) for each in (alpha, dropout)) or not (
        0 < alpha < math.inf and 0 <= dropout < 1
    ):
        raise ValueError(
            f"{folder} has lora_alpha={alpha} and lora_dropout={dropout}; alpha must be a number above 0, dropout one "
            "from 0 to below 1: copy the file again"
        )
    return float(alpha), float(dropout)


def _refuse_broken(tensors: dict[str, Tensor], way_out: str) -> None:
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"{broken[0]} holds NaN or infinity; {way_out}")


def _linear(model: nn.Module, name: str, folder: str | Path) -> nn.Module:
    try:
        layer = model.get_submodule(name)
    except AttributeError:
        layer = None
    if not isinstance(layer, nn.Linear | qlora.NF4Linear):
        raise ValueError(f"{folder} adapts {name}, and this model has no such linear layer; take its own base model")
    return layer


def _compare(name: str, parts: dict[str, Tensor], base: nn.Module) -> None:
    if parts.keys() != {"a", "b"}:
        raise ValueError(f"{name} has {', '.join(parts)} alone; an adapter has A and B")
    a, b = (tuple(parts[part].shape) for part in ("a", "b"))
    if (a[1:], b[:1], a[0]) != ((base.in_features,), (base.out_features,), b[-1]):
        raise ValueError(
            f"the adapter of {name} is made for another base: A {a} and B {b} in the file, but the layer's weight is "
            f"{(base.out_features, base.in_features)}; take the base model that it was trained on"
        )
