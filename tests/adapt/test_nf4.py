"""Four bits. Oracles: the sixteen published numbers, the nearest level by brute force, `bitsandbytes` on the CPU."""

import bitsandbytes.functional as bnb
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from minqwen.adapt import nf4

# Dettmers et al. 2023 (arXiv:2305.14314), appendix E
PUBLISHED = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]  # fmt: skip


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def codes(q, n):
    """All codes, a number each."""
    return torch.stack([q.packed >> 4, q.packed & 15], dim=1).reshape(-1)[:n]


def by_loops(values, block):
    """Codes and scales by the definition, one number at a time."""
    found, scales = [], []
    for start in range(0, len(values), block):
        part = values[start : start + block]
        scales.append(max(map(abs, part)))
        for value in part:
            ratio = value / scales[-1] if scales[-1] else 0.0
            found.append(min(range(16), key=lambda i: (abs(ratio - PUBLISHED[i]), i)))
    return found, scales


def test_the_derived_levels_are_the_published_sixteen():
    assert nf4.nf4_levels().tolist() == PUBLISHED


@pytest.mark.parametrize(("shape", "block"), [((7, 11), 5), ((3, 5, 7), 64), ((64,), 64), ((13, 10), 13), ((1,), 2)])
def test_codes_and_scales_are_those_of_the_definition(shape, block):
    w = normal(*shape)
    q = nf4.nf4_quantize(w, block)
    expected, scales = by_loops(w.flatten().tolist(), block)
    assert codes(q, w.numel()).tolist() == expected
    assert_close(q.absmax, torch.tensor(scales))
    assert q.packed.shape == ((w.numel() + 1) // 2,) and q.shape.tolist() == list(shape)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=40), st.integers(1, 9))
def test_what_comes_back_is_never_further_than_half_the_widest_gap(values, block):
    w = torch.tensor(values)
    q = nf4.nf4_quantize(w, block)
    back = nf4.nf4_dequantize(q, block)
    gap = nf4.nf4_levels().diff().max() / 2
    limit = gap * q.absmax.repeat_interleave(block)[: len(w)]
    assert (back - w).abs().le(limit * 1.0001 + 1e-30).all()


def test_the_first_of_two_weights_is_in_the_high_half():
    assert nf4.nf4_quantize(torch.tensor([1.0, -1.0, 0.0, 1.0])).packed.tolist() == [0xF0, 0x7F]


def test_a_tie_goes_to_the_lower_level():
    middle = (nf4.nf4_levels()[9] + nf4.nf4_levels()[10]) / 2
    assert codes(nf4.nf4_quantize(torch.stack([middle, torch.tensor(1.0)])), 2).tolist() == [9, 15]


@pytest.mark.parametrize("size", [1, 63, 64, 65, 127, 200])
def test_tails_zeros_and_extremes_come_back_exactly(size):
    w = torch.zeros(size)
    assert nf4.nf4_dequantize(nf4.nf4_quantize(w)).equal(w)
    w[-1] = -3.7
    assert nf4.nf4_dequantize(nf4.nf4_quantize(w)).equal(w)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_scales_are_float32_whatever_the_weights_are_and_carry_no_gradient(dtype):
    w = normal(7, 11).to(dtype).requires_grad_()
    q, expected = nf4.nf4_quantize(w), nf4.nf4_quantize(w.detach().float())
    assert all(one.equal(two) for one, two in zip(q, expected)) and not q.absmax.requires_grad
    assert nf4.nf4_dequantize(q).dtype == torch.float32


def test_quantising_twice_changes_nothing():
    once = nf4.nf4_dequantize(nf4.nf4_quantize(normal(97, 13)))
    twice = nf4.nf4_quantize(once)
    assert nf4.nf4_dequantize(twice).equal(once)


@pytest.mark.parametrize("block", [64, 128, 256, 512])
@pytest.mark.parametrize("shape", [(128, 64), (97, 131), (5, 7)], ids=str)
def test_codes_and_values_are_those_of_bitsandbytes_but_for_ties(shape, block):
    w = normal(*shape, seed=block)
    q = nf4.nf4_quantize(w, block)
    # In one row: 0.50.2 dequantises rows that are shorter than a block with other blocks' scales.
    packed, state = bnb.quantize_4bit(w.flatten(), blocksize=block, quant_type="nf4")
    assert q.absmax.equal(state.absmax)
    theirs = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], dim=1).reshape(-1)[: w.numel()].int()
    ours = codes(q, w.numel()).int()
    differ = ours != theirs
    ratio = w.flatten() / q.absmax.repeat_interleave(block)[: w.numel()]
    middle = (nf4.nf4_levels()[ours] + nf4.nf4_levels()[theirs]) / 2
    assert (ours - theirs)[differ].abs().le(1).all() and (ratio - middle)[differ].abs().le(1e-6).all()
    assert differ.sum() <= 2
    back = bnb.dequantize_4bit(packed, state)
    assert_close(nf4.nf4_dequantize(q, block).flatten()[~differ], back.flatten()[~differ], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("block", "known"), [(32, 0.06775), (64, 0.07280), (128, 0.07683), (256, 0.08034)])
def test_the_error_grows_with_the_block_as_bitsandbytes_publishes(block, known):
    """Known: the mean absolute errors that the tests of bitsandbytes state for standard normal numbers."""
    w = normal(512, 512)
    error = (nf4.nf4_dequantize(nf4.nf4_quantize(w, block), block) - w).abs().mean().item()
    assert error == pytest.approx(known, rel=0.005)


def test_levels_share_a_normal_distribution_equally_but_not_a_block_scaled_by_its_largest():
    w = normal(512, 512)
    levels = nf4.nf4_levels()
    deviations = torch.bucketize(w / 1.8481, (levels[1:] + levels[:-1]) / 2).flatten().bincount() / w.numel()
    assert deviations[1:-1].min() > 0.9 / 16 and deviations[1:-1].max() < 1.2 / 16
    used = codes(nf4.nf4_quantize(w), w.numel()).bincount(minlength=16) / w.numel()
    assert used.min() < 0.35 / 16 and used.max() > 1.4 / 16


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_refused(broken):
    with pytest.raises(ValueError, match="go back to an earlier checkpoint"):
        nf4.nf4_quantize(torch.tensor([1.0, broken]))


def test_a_block_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="take 64"):
        nf4.nf4_quantize(torch.ones(3), 0)
    with pytest.raises(ValueError, match="give the block they had"):
        nf4.nf4_dequantize(nf4.nf4_quantize(torch.ones(300)), 32)
