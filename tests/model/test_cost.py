"""Costs. Oracles: every product of a step counted in loops, torch's own counter, and the bytes that torch's operations
are given and return."""

import dataclasses

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from minqwen.model import Qwen, QwenConfig, cost, training

CONFIG = QwenConfig(vocab_size=301, d_model=66, n_layers=3, n_heads=3, n_kv_heads=3, d_ff=97, max_length=64)
GROUPED = dataclasses.replace(CONFIG, n_kv_heads=1)
SEVEN = QwenConfig(vocab_size=151_936, d_model=4096, n_layers=32, n_heads=32, n_kv_heads=32, d_ff=11_008)
LOOKS_ONLY = {"view", "t", "transpose", "slice", "unsqueeze", "squeeze", "expand", "detach", "split", "_unsafe_view"}
LOOKS_ONLY |= {"select", "alias", "reshape", "permute", "unbind", "split_with_sizes", "empty", "empty_like"}
LOOKS_ONLY |= {"unflatten", "chunk", "as_strided"}


def step(config, B, T):
    """One training step of the package."""
    model = Qwen(config, torch.Generator().manual_seed(0))
    batch = torch.randint(0, config.vocab_size, (B, T + 1), generator=torch.Generator().manual_seed(1))
    optimizer = training.adamw(model)
    batches = training.train(model, [batch, batch], 2, 1e-3, 0, optimizer=optimizer)
    next(batches)  # AdamW makes its moments in the first step
    return batches


class Traffic(TorchDispatchMode):
    """Adds up the bytes of what every operation is given and returns; looking at a tensor anew moves nothing."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket.__name__ not in LOOKS_ONLY:
            self.bytes += size([args, list((kwargs or {}).values()), result])
        return result


def size(x):
    if isinstance(x, torch.Tensor):
        return x.numel() * x.element_size()
    return sum(map(size, x)) if isinstance(x, list | tuple) else 0


def products_by_loops(config, B, T):
    """Forward, matrix by matrix, and pair by pair for attention; a product (m, k)(k, n) takes 2·m·k·n."""
    C, kv, F = config.d_model, config.n_kv_heads * config.d_head, config.d_ff
    matrices = [(C, C), (C, kv), (C, kv), (C, C), (C, F), (C, F), (F, C)] * config.n_layers + [(C, config.vocab_size)]
    total = sum(2 * B * T * k * n for k, n in matrices)
    for t in range(T):
        for _ in range(config.n_layers * config.n_heads * B):
            total += 2 * (t + 1) * config.d_head + 2 * (t + 1) * config.d_head
    return total


@pytest.mark.parametrize("config", [CONFIG, GROUPED], ids=["equal heads", "grouped heads"])
def test_a_step_costs_three_forward_passes_of_its_products(config):
    assert cost.step_flops(2, 13, **cost.shape(config)) == 3 * products_by_loops(config, 2, 13)


def test_torchs_counter_finds_as_many_but_for_attention_whose_fused_kernel_it_does_not_know():
    B, T = 2, 37
    batches = step(CONFIG, B, T)
    with FlopCounterMode(display=False) as counter:
        next(batches)
    by_operation = counter.get_flop_counts()["Global"]
    products = sum(n for name, n in by_operation.items() if "mm" in str(name))
    ours = cost.step_flops(B, T, **cost.shape(CONFIG))
    scores = 3 * B * CONFIG.n_layers * 4 * CONFIG.d_model * T * (T + 1) // 2
    # The first block's inputs need gradients too, for the embedding, so no product of the backward pass is left out.
    assert products == ours - scores


def test_the_weights_in_products_are_those_of_the_model():
    matrices = [p for name, p in Qwen(CONFIG).named_parameters() if p.ndim == 2 and "embed" not in name]
    assert cost.product_weights(**cost.shape(CONFIG)) == sum(p.numel() for p in matrices)
    biases_and_norms = 32 * 5 * 4096 + 4096
    assert cost.product_weights(**cost.shape(SEVEN)) + 151_936 * 4096 + biases_and_norms == 7_721_324_544


@pytest.mark.parametrize(
    ("B", "T", "changes"),
    [
        (2, 64, {}),
        (3, 33, {"d_model": 96, "d_ff": 256, "n_layers": 2}),
        (1, 50, {"vocab_size": 2003}),
        (2, 48, {"d_ff": 1500, "n_layers": 2}),  # two fifths of it are F's
        (4, 64, {"vocab_size": 5003, "n_layers": 1}),  # more than half of it V's
        (2, 48, {"d_model": 192, "n_heads": 6, "n_kv_heads": 6, "d_ff": 512, "n_layers": 1}),
    ],
)
def test_the_bytes_of_a_step_are_those_that_its_operations_move(B, T, changes):
    config = dataclasses.replace(CONFIG, **changes)
    batches = step(config, B, T)
    with Traffic() as traffic:
        next(batches)
    # In-place operations write what they were given once more: three tensors of AdamW.
    moved = traffic.bytes + 4 * 3 * config.n_parameters
    assert cost.step_bytes(B, T, **cost.shape(config)) == pytest.approx(moved, rel=0.05)


def test_a_token_reads_every_weight_and_the_cache():
    shape = cost.shape(GROUPED)
    weights = cost.product_weights(**shape)
    assert cost.token_bytes(0, **shape) == 4 * weights
    assert cost.token_bytes(5, **shape, size=2) == 2 * (weights + 2 * 3 * 5 * 22)
    assert cost.token_bytes(0, **cost.shape(SEVEN), size=2) == pytest.approx(14.2e9, rel=0.01)


def test_seconds_add_up():
    machine = cost.Machine(peak=100.0, bandwidth=10.0, overhead=0.5)
    assert machine.seconds(flops=200.0, moved=30.0, layers=4) == 2 + 3 + 2
    assert machine.seconds() == 0


def test_what_a_process_keeps_is_table_1_of_the_zero_paper():
    # Rajbhandari et al. 2019, Table 1: 7.5 billion parameters, in GB, for 1, 4 and 64 processes
    for processes, row in {1: (120, 120, 120), 4: (52.5, 41.3, 30), 64: (31.4, 16.6, 1.88)}.items():
        for stage, expected in zip((1, 2, 3), row):
            assert cost.state_bytes(7_500_000_000, processes, stage) / 1e9 == pytest.approx(expected, rel=5e-3)
        assert cost.state_bytes(7_500_000_000, processes) == 120e9


def test_what_a_process_sends():
    assert cost.exchanged_bytes(100, 1) == cost.exchanged_bytes(100, 1, stage=3) == 0
    assert cost.exchanged_bytes(100, 4, stage=0) == cost.exchanged_bytes(100, 4, stage=2) == 2 * 3 / 4 * 200
    assert cost.exchanged_bytes(100, 4, stage=3) == 1.5 * cost.exchanged_bytes(100, 4)  # section 7.2.2: 1.5 times


def test_stages_and_processes_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"use 0 \(DDP\), 1, 2 or 3 \(FSDP\)"):
        cost.state_bytes(100, 2, stage=4)
    with pytest.raises(ValueError, match="use at least one process"):
        cost.state_bytes(100, 0)
