"""What a step of training or a written token costs: operations, bytes, and the seconds that a machine needs for them.

Kaplan et al. 2020 (arXiv:2001.08361), section 2.1, counts operations; Williams, Waterman and Patterson 2009, "Roofline"
(https://doi.org/10.1145/1498765.1498785), weighs them against bytes; what each of several processes keeps and sends is
from Rajbhandari et al. 2019, "ZeRO" (arXiv:1910.02054), sections 3.1, 5 and 7.
"""

from typing import NamedTuple

from minqwen.model.config import QwenConfig

STAGES = ("whole copies", "moments shared", "moments and gradients shared", "everything shared")

# How often a training step of this package reads or writes what, products and all the rest together; counted
# operation by operation, which tests/model/test_cost.py does again.
PASSES_C, PASSES_F = 160, 23  # for each token and layer, tensors of width C and F
PASSES_V = 12  # for each token, rows of logits
PASSES_WEIGHTS = 12  # products, norm, clipping, AdamW


class Machine(NamedTuple):
    """Operations a second in large matrix products, bytes a second to and from memory, and seconds a layer's calls
    take however small the layer is."""

    peak: float
    bandwidth: float
    overhead: float = 0.0

    def seconds(self, flops: int | float = 0, moved: int | float = 0, layers: int = 0) -> float:
        """flops / peak + bytes / bandwidth + layers · overhead: one after the other, nothing hidden behind anything."""
        return flops / self.peak + moved / self.bandwidth + layers * self.overhead


def shape(config: QwenConfig) -> dict[str, int]:
    """The sizes that costs depend on, by the letters of the legend; Ckv = C where no heads share keys."""
    return {
        "n_layers": config.n_layers,
        "C": config.d_model,
        "Ckv": config.n_kv_heads * config.d_head,
        "F": config.d_ff,
        "V": config.vocab_size,
    }


def product_weights(n_layers: int, C: int, Ckv: int, F: int, V: int) -> int:
    """layers · (2C² [q, o] + 2·C·Ckv [k, v] + 3·C·F) + C·V [output]; the embedding is looked up, not multiplied."""
    return n_layers * (2 * C * C + 2 * C * Ckv + 3 * C * F) + C * V


def step_flops(B: int, T: int, n_layers: int, C: int, Ckv: int, F: int, V: int) -> int:
    """Operations in the matrix products of a training step: forward, and twice as many backward."""
    weights = n_layers * (2 * C * C + 2 * C * Ckv + 3 * C * F) + C * V
    pairs = T * (T + 1) // 2
    forward = 2 * B * T * weights + 4 * B * n_layers * C * pairs
    return 3 * forward


def step_bytes(B: int, T: int, n_layers: int, C: int, Ckv: int, F: int, V: int) -> int:
    """4 · (B·T · (layers · (160·C + 23·F) + 12·V) + 12·N): what a float32 step of this package reads and writes."""
    parameters = product_weights(n_layers, C, Ckv, F, V) + C * V
    return 4 * (B * T * (n_layers * (PASSES_C * C + PASSES_F * F) + PASSES_V * V) + PASSES_WEIGHTS * parameters)


def token_bytes(S: int, n_layers: int, C: int, Ckv: int, F: int, V: int, size: int = 4) -> int:
    """size · (W + 2 · layers · S · Ckv): to write a token, read every weight in products and S cached keys and values.

    `size` is the bytes of a number: 4 in float32, 2 in bfloat16.
    """
    return size * (product_weights(n_layers, C, Ckv, F, V) + 2 * n_layers * S * Ckv)


def state_bytes(parameters: int, processes: int = 1, stage: int = 0) -> float:
    """Bytes that one process keeps in mixed precision: 2 weight + 2 gradient + 12 AdamW, each a parameter.

    AdamW's 12 are a float32 copy and two moments. Stage 0 (DDP) shares nothing; 1 shares the 12 over the processes, 2
    the gradient as well, 3 (FSDP) everything.
    """
    if stage not in range(4):
        raise ValueError(f"stage={stage} is not known; use 0 (DDP), 1, 2 or 3 (FSDP)")
    if parameters < 0 or processes < 1:
        raise ValueError(f"{parameters} parameters on {processes} processes; use at least one process")
    weight, gradient, adamw = 2.0, 2.0, 12.0
    return parameters * (
        weight / (processes if stage >= 3 else 1)
        + gradient / (processes if stage >= 2 else 1)
        + adamw / (processes if stage >= 1 else 1)
    )


def exchanged_bytes(parameters: int, processes: int, stage: int = 0, size: int = 2) -> float:
    """What each process sends in a step: 2 · (n − 1)/n · size · N, the sum of gradients; half as much again in stage 3.

    There the weights are gathered before the forward and again before the backward pass, and the gradient is scattered.
    """
    times = 3 if stage == 3 else 2
    return times * (processes - 1) / processes * size * parameters
