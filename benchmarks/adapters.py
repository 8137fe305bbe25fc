"""A step of LoRA beside `peft`, and four bits made and unmade beside `bitsandbytes`."""

from collections.abc import Callable, Iterator
from typing import Any

import bitsandbytes.functional as bnb
import peft
import torch
from torch import Tensor, nn

import speed
from harness import TINY, Goal, Row, Table, clock, interleave
from minqwen.adapt import lora, nf4
from minqwen.model import loss, training

PATTERN, NAMES = "layers.*proj", ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def lora_step(
    shape: dict[str, Any] = TINY, batch_size: int = 8, rounds: int = 9, steps: int = 4, rank: int = 8
) -> Table:
    """Tokens a second of whole steps in which adapters on all matrices of the layers learn; A and B are the same."""
    models, generator = speed.pair(shape), torch.Generator().manual_seed(1)
    config, total = models["ours"].config, (rounds + 1) * steps
    T = config.max_length
    lora.add_lora(models["ours"], PATTERN, rank, 2.0 * rank, generator=generator)
    settings = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=NAMES)
    models["peer"] = peft.get_peft_model(models["peer"], settings)
    copy_a(models)
    batches = torch.randint(config.vocab_size, (total, batch_size, T + 1), generator=generator)
    calls: dict[str, Callable[[Tensor], Tensor]] = {
        "ours": models["ours"],
        "peer": lambda ids: models["peer"](input_ids=ids, use_cache=False).logits,
    }
    loops = {name: train(models[name], calls[name], batches) for name in models}
    losses: dict[str, list[float]] = {name: [] for name in models}

    def run(name: str) -> Callable[[], None]:
        return lambda: losses[name].extend(next(loops[name]) for _ in range(steps))

    timed = interleave({name: run(name) for name in models}, rounds, clock)
    gap = max(abs(o - p) for o, p in zip(*losses.values(), strict=True))
    learned = sum(p.numel() for p in models["ours"].parameters() if p.requires_grad)
    rows = [
        Row("LoRA", "tokens/s", *timed.speeds(steps * batch_size * T), Goal("ratio", "≥", 1.0)),
        Row(f"loss of step {total}", "", *([values[-1]] for values in losses.values())),
        Row("largest gap between the losses of a step", "", [gap], None, Goal("ours", "≤", 1e-3)),
    ]
    told = [
        f"{speed.describe(models['ours'])}; rank {rank}, alpha {2 * rank}, no dropout, all seven matrices of each "
        f"layer: {learned:,} numbers learn, the same A, B zero. Context {T}, batch {batch_size}, random tokens.",
        f"A round is {steps} steps of each side: forward, the same loss, backward, AdamW (fused).",
        "`peft`: `get_peft_model` on `transformers`' Qwen2, sdpa attention, use_cache off.",
        speed.quiet(timed, rounds),
    ]
    return Table(rows, told, "peft")


def copy_a(models: dict[str, nn.Module]) -> None:
    """Give the other side our A; B is zero on both."""
    for name, layer in lora.adapters(models["ours"]).items():
        other = models["peer"].base_model.model.get_submodule(name)
        other.lora_A["default"].weight.data.copy_(layer.a.data)


def train(model: nn.Module, call: Callable[[Tensor], Tensor], batches: Tensor) -> Iterator[float]:
    """The loss of each step."""
    model.train()
    optimizer = training.adamw(model, 0.0)
    for batch in batches:
        value = loss.next_token_loss(call(batch[:, :-1]), batch[:, 1:])
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield value.item()


def four_bits(sizes: tuple[int, int] = (4096, 4096), rounds: int = 9) -> Table:
    """Weights a second to quantise and to dequantise one matrix, blocks of 64."""
    w = torch.randn(sizes, generator=torch.Generator().manual_seed(0))
    ours, (packed, state) = nf4.nf4_quantize(w), bnb.quantize_4bit(w, blocksize=64, quant_type="nf4")
    made = interleave(
        {
            "ours": lambda: nf4.nf4_quantize(w),
            "peer": lambda: bnb.quantize_4bit(w, blocksize=64, quant_type="nf4"),
        },
        rounds,
        clock,
    )
    unmade = interleave(
        {"ours": lambda: nf4.nf4_dequantize(ours), "peer": lambda: bnb.dequantize_4bit(packed, state)}, rounds, clock
    )
    equal = (ours.packed == packed.flatten()).double().mean().item()
    gap = (nf4.nf4_dequantize(ours) - bnb.dequantize_4bit(packed, state)).abs().max().item()
    rows = [
        Row("dequantising", "million weights/s", *unmade.speeds(w.numel() / 1e6)),
        Row("quantising", "million weights/s", *made.speeds(w.numel() / 1e6)),
        Row("equal bytes", "%", [equal], None, Goal("ours", "≥", 0.999)),
        Row("largest gap between dequantised weights", "", [gap]),
    ]
    told = [
        f"One matrix of {sizes[0]:,} x {sizes[1]:,} standard normal float32 numbers, blocks of 64, scales of 32 bits.",
        "`bitsandbytes`: its own CPU code in C++; ours is torch alone. Bytes differ where a weight lies between two "
        "levels, equally far from both up to rounding.",
        speed.quiet(unmade, rounds),
    ]
    return Table(rows, told, "bitsandbytes")
