"""Bars of bytes, and levels over weights. Oracles: `memory.predict`, whose own test counts tensors; a count by hand."""

import pytest
import torch

from minqwen import show
from minqwen.adapt import memory, nf4
from minqwen.show import memory_view


def test_the_bars_are_what_is_predicted_and_end_at_their_totals():
    held = show.memory_plot("Qwen-7B", length=1024, batch=2, rank=64)
    for row, (method, b) in enumerate(held.items()):
        expected = memory.predict(memory_view.QWEN["Qwen-7B"], method, 2, 1024, 64, 2.0, 2.0, 12.0)
        assert b == expected
        bars = [p for p in memory_view.plt.gcf().axes[0].patches if abs(p.get_y() + p.get_height() / 2 - row) < 0.01]
        assert max(p.get_x() + p.get_width() for p in bars) == pytest.approx(b.total / 1e9)


def test_four_bytes_for_everything_is_full_precision():
    assert show.memory_plot("Qwen-1.8B", half=False)["full"].weights == pytest.approx(4 * 1.84e9, rel=0.01)


def test_the_sizes_are_those_of_table_1():
    numbers = {name: memory.predict(s, "full", 1, 1).weights / 4 for name, s in memory_view.QWEN.items()}
    assert numbers["Qwen-7B"] == 7_721_324_544
    assert numbers["Qwen-1.8B"] == pytest.approx(1.84e9, rel=0.01) and numbers["Qwen-14B"] == pytest.approx(
        14.17e9, rel=0.01
    )


def test_the_controls_move_the_bars():
    w = show.memory_calculator()
    before = w.result["LoRA"].total
    w.rank.value = 64
    assert w.result["LoRA"].total > before
    assert "tokens a text" in [control.description for control in w.controls.values()]


def test_the_shares_are_those_of_the_codes():
    weights = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    shares = show.levels_plot(weights)
    q = nf4.nf4_quantize(weights)
    codes = torch.stack([q.packed >> 4, q.packed & 15]).flatten().bincount(minlength=16)
    assert shares == pytest.approx((codes / 1024).tolist(), abs=1e-3)
