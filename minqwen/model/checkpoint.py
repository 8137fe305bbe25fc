"""Hub folders: config.json beside model.safetensors, read with care and written so that nothing is lost.

The safetensors format is plain tensors behind a JSON header; loading one cannot run code, unlike a pickle
(https://huggingface.co/docs/safetensors).
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from minqwen.model import names

INDEX = "model.safetensors.index.json"
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
UNFINISHED = (".incomplete", ".part", ".crdownload", ".aria2")  # huggingface-hub, we and Firefox, Chromium, aria2


def read_config(folder: str | Path) -> dict[str, Any]:
    """The contents of config.json."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(_absent(path))
    return _read_json(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # bad JSON, or bytes that are no UTF-8
        raise ValueError(f"{path} is not valid JSON ({error}); copy the file of the model again") from error
    if not isinstance(contents, dict):
        raise ValueError(f"{path} must hold one JSON object; copy the file of the model again")
    return contents


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """The tensors by name, from model.safetensors or else the shards of its index, none of them NaN or infinite."""
    folder = Path(folder)
    sharded = (folder / INDEX).is_file() and not (folder / "model.safetensors").is_file()
    weights = _read_shards(folder) if sharded else _read_file(folder / "model.safetensors")
    quantised = [f"{name} ({tensor.dtype})" for name, tensor in weights.items() if tensor.dtype not in DTYPES]
    if quantised:
        raise ValueError(
            f"weights are {', '.join(map(str, DTYPES))}, but {_few(quantised)} is not; "
            "take an unquantised copy of the model"
        )
    broken = [name for name, tensor in weights.items() if not _is_finite(tensor)]
    if broken:
        raise ValueError(f"{folder} holds NaN or infinity in {_few(broken)}; go back to an earlier checkpoint")
    return weights


def _is_finite(tensor: Tensor) -> bool:
    # NaN passes through minimum and maximum, so one pass tells; isfinite().all() takes ten times as long.
    return tensor.numel() == 0 or all(end.isfinite() for end in tensor.aminmax())


def _read_file(path: Path) -> dict[str, Tensor]:
    pickles = [path] if path.suffix in PICKLES else [p for p in path.parent.glob("*") if p.suffix in PICKLES]
    if pickles and (path in pickles or not path.is_file()):
        raise ValueError(
            f"{min(pickles).name} is a pickle, and loading a pickle can run any code; "
            "convert it to model.safetensors where you trust its origin"
        )
    if not path.is_file():
        raise FileNotFoundError(_absent(path))
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is cut off or damaged ({error}); copy or download the file again"
        ) from error


def _absent(path: Path) -> str:
    """That a file is not there, with what its neighbours tell: hub downloads keep theirs in .cache or in blobs."""
    folder = path.parent.resolve()
    places = [folder, folder / ".cache" / "huggingface" / "download", folder.parent.parent / "blobs"]
    unfinished = sorted(p.name for place in places for p in place.glob("*") if p.suffix in UNFINISHED)
    if unfinished:
        return f"{path} does not exist, but {unfinished[0]} does: it stopped half way; run the same download again"
    shards = sorted(p.name for p in folder.glob("model-*-of-*.safetensors"))
    if shards and not (folder / INDEX).is_file():
        return f"{folder} holds {shards[0]}, one shard of several, without their {INDEX}; download that file as well"
    return f"{path} does not exist; a model folder holds config.json and model.safetensors"


def _read_shards(folder: Path) -> dict[str, Tensor]:
    promised = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(promised, dict) or not all(isinstance(shard, str) for shard in promised.values()):
        raise ValueError(f"{folder / INDEX} has no weight_map from tensors to files; copy the file of the model again")
    weights: dict[str, Tensor] = {}
    for shard in sorted(set(promised.values())):
        if not shard or Path(shard).name != shard:
            raise ValueError(f"{INDEX} names {shard!r}, which is not in {folder}; copy the file of the model again")
        if not (folder / shard).is_file():
            raise FileNotFoundError(f"{INDEX} names {shard}: {_absent(folder / shard)}; download that shard as well")
        tensors = _read_file(folder / shard)
        wrong = [name for name in tensors if promised.get(name) != shard]
        if wrong:
            raise ValueError(
                f"{shard} holds {_few(wrong)}, which {INDEX} puts elsewhere; download index and shards again, together"
            )
        weights |= tensors
    lost = sorted(promised.keys() - weights.keys())
    if lost:
        raise ValueError(
            f"{INDEX} promises {_few(lost)}, which no shard holds; download index and shards again, together"
        )
    return weights


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def load_weights(model: nn.Module, folder: str | Path) -> None:
    """Give a model, best one on the meta device, the tensors of a folder of the same shape, in float32."""
    weights, own, tied = read_weights(folder), model.state_dict(), _is_tied(model)
    if any(name.startswith("transformer.") for name in weights):
        weights = names.weights_from_first_qwen(weights)
    if tied and "model.embed_tokens.weight" in weights:
        embedding = weights["model.embed_tokens.weight"]
        if not weights.setdefault("lm_head.weight", embedding).equal(embedding):
            raise ValueError(
                f"config.json of {folder} ties the embeddings, but its weights hold two different matrices; "
                "set tie_word_embeddings to false"
            )
    missing, unknown = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    wrong = [
        f"{name} is {tuple(weights[name].shape)} in the file and {tuple(own[name].shape)} by the config"
        for name in sorted(own.keys() & weights.keys())
        if weights[name].shape != own[name].shape
    ]
    problems = [f"the file lacks {name}" for name in missing] + [f"no place for {name}" for name in unknown]
    if problems + wrong:
        raise ValueError(
            f"the config and the weights of {folder} do not fit: {'; '.join((wrong + problems)[:3])}; "
            "take both files from the same model"
        )
    if tied:
        del weights["lm_head.weight"]
    # Copies: safetensors maps its file into memory, and a file may change while the model lives.
    copies = {name: tensor.to(torch.float32, copy=True) for name, tensor in weights.items()}
    model.load_state_dict(copies, assign=True, strict=not tied)  # names were compared above
    if tied:
        model.lm_head.weight = model.get_parameter("model.embed_tokens.weight")


def _is_tied(model: nn.Module) -> bool:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return parameters["lm_head.weight"] is parameters["model.embed_tokens.weight"]


def save(
    folder: str | Path, config: dict[str, Any], weights: dict[str, Tensor], dtype: torch.dtype = torch.float32
) -> None:
    """Write both files aside, then rename them: whatever goes wrong while writing leaves the old ones as they were.

    Weights that could not be loaded again are refused before anything is written.
    """
    folder = Path(folder)
    if config.get("tie_word_embeddings"):
        weights = {name: tensor for name, tensor in weights.items() if name != "lm_head.weight"}
    if not dtype.is_floating_point:
        raise ValueError(f"dtype={dtype} would round weights to whole numbers; use torch.bfloat16 for a small file")
    # A number that stands alone, such as the scale of a reward model, costs nothing to keep as it is.
    weights = {name: tensor.detach().to(dtype if tensor.ndim else tensor.dtype) for name, tensor in weights.items()}
    weights = {name: tensor.contiguous() for name, tensor in weights.items()}
    broken = [name for name, tensor in weights.items() if not _is_finite(tensor)]
    if broken:
        raise ValueError(
            f"{_few(broken)} would be NaN or infinity in {dtype}, so nothing was saved and {folder} is as it was; "
            "go back to an earlier step, or save in torch.float32 or torch.bfloat16"
        )
    folder.mkdir(parents=True, exist_ok=True)
    aside = [folder / "model.safetensors.part", folder / "config.json.part"]
    try:
        save_file(weights, aside[0], metadata={"format": "pt"})
        aside[0].chmod(0o666 & ~_umask())  # safetensors makes files that only their owner can read
        config = {**config, "dtype": str(dtype).removeprefix("torch.")}
        aside[1].write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        for path in aside:
            os.replace(path, path.with_suffix(""))
    finally:
        for path in aside:
            path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask
