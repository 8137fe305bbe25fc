"""Tokens a second in training and generation, and how much of the machine they use, beside `transformers`."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import ours
import peer
from harness import SMOLLM2, TINY, Goal, Rounds, Row, Table, clock, interleave

SIDES = {"ours": ours, "peer": peer}


def training(
    shape: dict[str, Any] = TINY, batch_size: int = 8, rounds: int = 9, steps: int = 4, square: int = 1024
) -> Table:
    """Tokens a second of whole training steps, the losses of both sides, and their share of the matrix peak."""
    models, generator = pair(shape), torch.Generator().manual_seed(1)
    config, total = models["ours"].config, (rounds + 1) * steps
    T = config.max_length
    batches = torch.randint(config.vocab_size, (total, batch_size, T + 1), generator=generator)
    loops = {name: side.train(models[name], batches, total) for name, side in SIDES.items()}
    losses: dict[str, list[float]] = {name: [] for name in SIDES}
    a = torch.randn(square, square, generator=generator)

    def run(name: str) -> Callable[[], None]:
        return lambda: losses[name].extend(next(loops[name]) for _ in range(steps))

    timed = interleave({**{name: run(name) for name in SIDES}, "matrix": lambda: a @ a}, rounds, clock)
    speeds = timed.speeds(steps * batch_size * T)
    flops, peak = operations(models["ours"], T), 2 * square**3 / min(timed.seconds["matrix"])
    gap = max(abs(o - p) for o, p in zip(*losses.values()))
    rows = [
        Row("training", "tokens/s", *speeds, Goal("ratio", "≥", 1.15)),
        Row("share of the float32 matrix peak", "%", *shares(speeds, peak / flops), Goal("ours", "≥", 0.5)),
        Row(f"loss of step {total}", "", *([values[-1]] for values in losses.values())),
        Row("largest gap between the losses of a step", "", [gap], None, Goal("ours", "≤", 1e-3)),
    ]
    settings = [
        f"{describe(models['ours'])}; context {T}, batch {batch_size}, random tokens. A round is {steps} steps: "
        "forward, backward, clipping, AdamW (fused on both sides).",
        "`transformers`: sdpa attention (causal, no mask), train mode, use_cache off, its own loss function.",
        "Operations a token: 6 for each weight of a matrix (without the input embedding) and 6 · layers · C · (T + 1) "
        f"for the scores that the causal mask keeps, {flops:,} in all. Peak: the fastest product of two {square} x "
        f"{square} matrices in the same rounds, {peak / 1e9:.1f} GFLOP/s.",
        quiet(timed, rounds),
    ]
    return Table(rows, settings)


def operations(model: nn.Module, T: int) -> int:
    """Additions and multiplications of a training step, a token.

    Forward 2 and backward 4 a weight of a matrix. The causal mask keeps (T + 1) / 2 scores a token; each takes 2C
    operations and as many for its value, a layer, and twice that backward.
    """
    matrices = [p for p in (*model.model.layers.parameters(), model.lm_head.weight) if p.ndim == 2]
    return 6 * sum(p.numel() for p in matrices) + 6 * model.config.n_layers * model.config.d_model * (T + 1)


def generation(
    shape: dict[str, Any] = TINY, batches: tuple[int, ...] = (1, 32), prompt: int = 32, new: int = 128, rounds: int = 7
) -> Table:
    """Tokens a second of greedy generation with a cache, and whether both sides wrote the same."""
    models, generator = pair(shape), torch.Generator().manual_seed(1)
    rows, notes = [], []
    for B in batches:
        ids = torch.randint(models["ours"].config.vocab_size, (B, prompt), generator=generator)
        texts: dict[str, Tensor] = {}
        timed = interleave(writers(models, ids, new, texts), rounds, clock)
        rows += [
            Row(f"generation, batch {B}", "tokens/s", *timed.speeds(B * new), Goal("ratio", "≥", 1.4)),
            equality(f"equal tokens, batch {B}", texts),
        ]
        notes.append(f"Batch {B}: {quiet(timed, rounds)}")
    settings = [
        f"{describe(models['ours'])}; prompt of {prompt} random tokens, {new} new ones, greedy, nothing ends a text "
        "early. A round is one whole call, prompt included.",
        "`transformers`: `generate` with sdpa attention, eval mode, use_cache on, dynamic cache.",
    ]
    return Table(rows, [*settings, *notes])


def decoding(
    shape: dict[str, Any] = SMOLLM2, new: int = 32, rounds: int = 7, buffer: tuple[int, int] = (8192, 16384)
) -> Table:
    """Tokens a second at batch 1, where every weight is read for each token, and the share of the read bandwidth."""
    models, texts = pair(shape, share_memory=True), {}
    matrix, vector = torch.ones(buffer), torch.ones(buffer[1])
    probes = {"matrix-vector product": lambda: matrix @ vector, "sum": lambda: matrix.sum()}
    writing = writers(models, torch.ones(1, 1, dtype=torch.long), new, texts)
    timed = interleave({**writing, **probes}, rounds, clock)
    read = sum(p.nbytes for p in (*models["ours"].model.layers.parameters(), models["ours"].lm_head.weight))
    seconds, probe = min((min(timed.seconds[name]), name) for name in probes)
    bandwidth, speeds = matrix.nbytes / seconds, timed.speeds(new)
    rows = [
        Row("decoding, batch 1", "tokens/s", *speeds, Goal("ratio", "≥", 1.4)),
        Row("share of the read bandwidth", "%", *shares(speeds, bandwidth / read), Goal("ours", "≥", 0.65)),
        equality("equal tokens", texts),
    ]
    settings = [
        f"The shape of SmolLM2-135M with random weights: {describe(models['ours'])}; prompt of one token, "
        f"{new} new ones, greedy, so that each token reads every weight once.",
        "`transformers`: `generate` with sdpa attention, eval mode, use_cache on, dynamic cache.",
        f"Read for a token: the weights, {read / 1e6:.0f} MB; the cache is left out. Bandwidth: the faster of a "
        f"matrix-vector product and a sum over {matrix.nbytes / 1e6:.0f} MB in the same rounds, here the {probe}, "
        f"{bandwidth / 1e9:.1f} GB/s: {bandwidth / read:.1f} tokens/s at most.",
        quiet(timed, rounds),
    ]
    return Table(rows, settings)


def pair(shape: dict[str, Any], share_memory: bool = False) -> dict[str, nn.Module]:
    """Both models with equal weights: copies, or the same memory, so that neither has the luckier pages."""
    models = {name: side.build(shape) for name, side in SIDES.items()}
    models["peer"].load_state_dict(models["ours"].state_dict(), assign=share_memory)
    return models


def writers(models: dict[str, nn.Module], ids: Tensor, new: int, texts: dict[str, Tensor]) -> dict[str, Callable]:
    """A run of each side; what it writes lands in `texts`."""

    def run(name: str) -> Callable[[], None]:
        return lambda: texts.update({name: SIDES[name].write(models[name], ids, new)})

    return {name: run(name) for name in SIDES}


def equality(what: str, texts: dict[str, Tensor]) -> Row:
    """The share of places where both sides wrote the same token."""
    return Row(what, "%", [(texts["ours"] == texts["peer"]).double().mean().item()], None, Goal("ours", "≥", 1.0))


def shares(speeds: list[list[float]], limit: float) -> list[list[float]]:
    """Each speed as a part of the speed that the machine allows."""
    return [[speed / limit for speed in side] for side in speeds]


def describe(model: nn.Module) -> str:
    """The sizes that decide the work."""
    c = model.config
    return (
        f"{c.n_layers} layers, width {c.d_model}, {c.n_heads} query and {c.n_kv_heads} key-value heads, MLP {c.d_ff}, "
        f"vocabulary {c.vocab_size:,}{', tied' if c.tie_embeddings else ''}: {c.n_parameters / 1e6:.1f} M parameters, "
        "float32"
    )


def quiet(timed: Rounds, rounds: int) -> str:
    """How undisturbed the measurement was."""
    return (
        f"{rounds} rounds after a warm-up, threads: {torch.get_num_threads()}; the process had the time of "
        f"{math.floor(100 * timed.cores) / 100:.2f} cores."
    )
