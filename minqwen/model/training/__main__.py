"""python -m minqwen.model.training settings.toml: a run by a file that people can read.

Under `torchrun --nproc-per-node N -m minqwen.model.training settings.toml` N processes share it; the format is TOML 1.0
(https://toml.io).
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from tqdm import tqdm

from minqwen.model.config import QwenConfig
from minqwen.model.qwen import Qwen
from minqwen.model.training import loop, parallel, recipe, run

EXAMPLE = """\
[data]                      # rows of token ids (numpy.save), documents joined by the separator
train = "train.npy"
held_out = "held_out.npy"   # may be left out; measured in nats a token

[model]                     # fields of QwenConfig; those left out are the tiny Qwen's
d_model = 96
n_heads = 3
n_kv_heads = 3
d_ff = 256
n_layers = 4
max_length = 128

[recipe]                    # fields of training.Recipe
steps = 400
peak = 5e-3
warmup = 40
batch_size = 8

[run]
folder = "small"            # gets log.jsonl, state.safetensors and, at the end, the model; beside this file
save_every = 50
measure_every = 100
parallel = "ddp"            # or "fsdp", under torchrun
"""
SECTIONS = {"data": {"train", "held_out"}, "run": {"folder", "save_every", "measure_every", "log_every", "parallel"}}


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The sections of a settings file, none of their names unknown."""
    try:
        settings = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML ({error}); --example prints a file that is") from error
    known = SECTIONS | {
        "model": set(QwenConfig.__dataclass_fields__),
        "recipe": set(recipe.Recipe.__dataclass_fields__),
    }
    asked = {f"[{section}] {name}" for section, names in settings.items() for name in names}
    unknown = sorted(asked - {f"[{section}] {name}" for section, names in known.items() for name in names})
    if unknown:
        raise ValueError(f"{path}: {', '.join(unknown)} is not known; --example prints a file with the usual names")
    missing = [f"[{s}] {n}" for s, n in (("data", "train"), ("run", "folder")) if n not in settings.get(s, {})]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; --example prints a file that has it")
    return settings


def windows(path: Path, length: int) -> Int[Tensor, "N L"]:
    """A row of ids cut into windows of `length`."""
    row = np.load(path, allow_pickle=False)
    if row.ndim != 1 or row.dtype.kind not in "iu" or len(row) < length:
        raise ValueError(
            f"{path} holds {row.dtype} of shape {row.shape}, but a row of at least {length} whole numbers is needed; "
            "write it with numpy.save"
        )
    n = len(row) // length
    return torch.from_numpy(row[: n * length].astype(np.int64)).view(n, length)


def build(path: Path) -> run.Run:
    """The run of a settings file, begun or gone on with."""
    settings = read(path)
    model = Qwen(
        QwenConfig(**settings.get("model", {})),
        torch.Generator().manual_seed((chosen := recipe.Recipe(**settings.get("recipe", {}))).seed),
    )
    length, base, how = model.config.max_length + 1, path.parent, dict(settings["run"])
    held_out = settings["data"].get("held_out")
    measured = windows(base / held_out, length) if held_out else None

    def measure(model: torch.nn.Module) -> dict[str, Any]:
        return {"held_out": loop.nats(model, measured) / measured[:, 1:].numel()}

    return run.Run(
        model,
        windows(base / settings["data"]["train"], length),
        chosen,
        base / how.pop("folder"),
        kind=how.pop("parallel", "ddp"),
        measure=measure if held_out else None,
        **how,
    )


def main() -> None:
    """Read, run, and leave a hub folder with the model."""
    parser = argparse.ArgumentParser(prog="python -m minqwen.model.training", description=__doc__)
    parser.add_argument("settings", type=Path, nargs="?", help="a TOML file")
    parser.add_argument("--example", action="store_true", help="print one")
    arguments = parser.parse_args()
    if arguments.example or not arguments.settings:
        print(EXAMPLE, end="")
        return
    try:
        with parallel.processes() as rank:
            training = build(arguments.settings)
            bar = tqdm(
                training, "training", training.recipe.steps, initial=training.step, unit="step", disable=rank > 0
            )
            for step in bar:
                bar.set_postfix(loss=f"{step.loss:.3f}", refresh=False)
            training.save_model()
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
