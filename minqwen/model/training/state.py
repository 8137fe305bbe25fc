"""The state of a run in one file: weights, moments, generator, and where in the data it stands.

One safetensors file (https://huggingface.co/docs/safetensors), written aside and renamed: whoever looks finds the old
state or the new one, whole. The tensors have the names of an unshared model, so that a run on one process goes on with
DDP or FSDP, and back (https://docs.pytorch.org/docs/stable/distributed.checkpoint.html).
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint import state_dict

from minqwen.model.training import parallel

FILE = "state.safetensors"
FULL = state_dict.StateDictOptions(full_state_dict=True)


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The whole weights by the names of an unshared model, in every process."""
    return state_dict.get_model_state_dict(model, options=FULL)


def save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, about: dict[str, Any]) -> None:
    """Write the state of all processes to folder/state.safetensors; `about` may hold tensors as its values."""
    weights, moments = state_dict.get_state_dict(model, optimizer, options=FULL)
    problem = [None]
    if parallel.rank() == 0:
        tensors = {f"model.{name}": tensor for name, tensor in weights.items()}
        for name, values in moments["state"].items():
            tensors |= {f"optimizer.{kind}.{name}": tensor for kind, tensor in values.items()}
        tensors |= {f"about.{name}": value for name, value in about.items() if isinstance(value, Tensor)}
        rest = {name: value for name, value in about.items() if not isinstance(value, Tensor)}
        try:
            _write(folder / FILE, tensors, rest)
        except OSError as error:
            problem = [str(error)]
    if parallel.count() > 1:  # all stop, or none
        distributed.broadcast_object_list(problem)
    if problem[0]:
        raise OSError(f"the state of step {about['step']} could not be written: {problem[0]}")


def _write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    try:
        # Copies: safetensors refuses two names for one memory, as tied embeddings have.
        tensors = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
        save_file(tensors, aside, metadata={"about": json.dumps(about)})
        with aside.open("rb") as file:
            os.fsync(file.fileno())  # the bytes must be on the disk before the name points to them
        _swap(aside, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        aside.unlink(missing_ok=True)


def _swap(aside: Path, path: Path) -> None:
    os.replace(aside, path)


def read_about(folder: Path) -> dict[str, Any] | None:
    """What was saved beside the weights, or None where no state is."""
    if not (folder / FILE).exists():
        return None
    try:
        with safe_open(folder / FILE, "pt") as file:
            names = [name for name in list(file.keys()) if name.startswith("about.")]
            tensors = {name: file.get_tensor(name) for name in names}
            about = json.loads(file.metadata()["about"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / FILE} is damaged ({error}); delete it to begin anew") from error
    return about | {name.removeprefix("about."): tensor for name, tensor in tensors.items()}


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Give model and optimizer what `save` wrote; every process reads the file and keeps its share."""
    weights: dict[str, Tensor] = {}
    moments: dict[str, dict[str, Tensor]] = {}
    with safe_open(folder / FILE, "pt") as file:
        for key in list(file.keys()):
            part, name = key.split(".", 1)
            if part == "model":
                weights[name] = file.get_tensor(key)
            elif part == "optimizer":
                kind, parameter = name.split(".", 1)
                moments.setdefault(parameter, {})[kind] = file.get_tensor(key)
    _, fresh = state_dict.get_state_dict(model, optimizer, options=FULL)
    saved = {"state": moments, "param_groups": fresh["param_groups"]}
    state_dict.set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=saved, options=FULL)
