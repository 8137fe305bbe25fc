"""Import time and peak memory, each side in fresh processes of its own. Linux and macOS."""

import importlib
import sys
from typing import Any

from harness import SMOLLM2, TINY, Goal, Row, Table, clock, in_fresh_process

IMPORTS = {"ours": "from minqwen.model import Qwen", "peer": "from transformers import Qwen2ForCausalLM"}


def import_time(rounds: int = 7) -> Table:
    """Seconds from a fresh Python to the model's class; files are in the system's cache."""
    seconds = {name: [] for name in ("ours", "peer", "torch")}
    for i in range(rounds + 1):
        for name in list(seconds)[:: 1 if i % 2 else -1]:
            seconds[name].append(in_fresh_process("footprint", "seconds_of", IMPORTS.get(name, "import torch")))
    ours, peer, torch = (values[1:] for values in seconds.values())
    rows = [
        Row("import", "s", ours, peer, Goal("ratio", "≤", 1.0)),
        Row("of which torch", "s", torch, torch),
    ]
    return Table(
        rows, [f"`{IMPORTS['ours']}` and `{IMPORTS['peer']}`; {rounds} interleaved rounds of fresh processes."]
    )


def seconds_of(statement: str) -> float:
    """How long this Python needs for an import."""
    started = clock()
    exec(statement)
    return clock() - started


def memory(rounds: int = 3, batch_size: int = 8, new: int = 8) -> Table:
    """Peak memory after import, after training steps of one shape, and after decoding with another."""
    jobs = {
        "import": ("import", {}, 0),
        f"training, batch {batch_size}": ("train", TINY, batch_size),
        "decoding, batch 1": ("write", SMOLLM2, new),
    }
    rows = []
    for what, job in jobs.items():
        peaks: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(rounds):
            for side in peaks:
                peaks[side].append(in_fresh_process("footprint", "peak", side, *job))
        rows.append(Row(f"peak memory: {what}", "MiB", peaks["ours"], peaks["peer"], Goal("ratio", "≤", 1.0)))
    settings = [
        "The largest resident set (ru_maxrss) of a process that does nothing else, Python and torch included; "
        f"{rounds} processes a side.",
        f"Training: three steps at the shape and settings of table 1. Decoding: {new} tokens at the shape of table 3.",
    ]
    return Table(rows, settings)


def peak(side: str, job: str, shape: dict[str, Any], size: int) -> float:
    """The peak of this process in MiB once the job is done."""
    import resource  # not on Windows, where the other tables run

    module = importlib.import_module(side)
    import torch

    if job != "import":
        model, generator = module.build(shape), torch.Generator().manual_seed(1)
        config = model.config
        if job == "train":
            length = getattr(config, "max_length", None) or config.max_position_embeddings
            batches = torch.randint(config.vocab_size, (3, size, length + 1), generator=generator)
            list(module.train(model, batches, 3))
        else:
            module.write(model, torch.ones(1, 1, dtype=torch.long), size)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return kilobytes / 1024
