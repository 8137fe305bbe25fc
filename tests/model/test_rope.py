"""Rotation against complex multiplication by e^(iθ) and against `transformers`' rotate-half code."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

from minqwen.model import rope

B, H, T, D = 2, 3, 5, 14


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def angles(offset: int = 0, base: float = 10000.0) -> torch.Tensor:
    return rope.rope_angles(torch.arange(offset, offset + T).double(), D, base)


def test_rotation_is_multiplication_by_a_complex_number():
    x = double(B, H, T, D)
    turned = torch.complex(x[..., : D // 2], x[..., D // 2 :]) * torch.polar(torch.ones_like(angles()), angles())
    assert_close(rope.apply_rope(x, angles()), torch.cat([turned.real, turned.imag], dim=-1))


def test_rotation_equals_transformers():
    x = double(B, H, T, D)
    both = torch.cat([angles(), angles()], dim=-1)[None]
    theirs, _ = apply_rotary_pos_emb(x, x, both.cos(), both.sin())
    assert_close(rope.apply_rope(x, angles()), theirs)


@given(st.integers(0, 500), st.sampled_from([100.0, 10000.0, 1e6]))
def test_scores_see_only_the_distance(shift, base):
    q, k = double(T, D), double(T, D).flip(0)
    near = rope.apply_rope(q, angles(0, base)) @ rope.apply_rope(k, angles(0, base)).mT
    far = rope.apply_rope(q, angles(shift, base)) @ rope.apply_rope(k, angles(shift, base)).mT
    assert_close(far, near, atol=1e-9, rtol=0)


def test_position_zero_is_left_alone_and_lengths_are_kept():
    x = double(B, H, T, D)
    turned = rope.apply_rope(x, angles())
    assert turned[..., 0, :].equal(x[..., 0, :])
    assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_the_fastest_pair_turns_one_radian_a_token_and_the_base_slows_the_others():
    slow, fast = angles(base=1e6), angles(base=10.0)
    assert slow[1, 0] == fast[1, 0] == 1
    assert (slow[1:, 1:] < fast[1:, 1:]).all()


def test_angles_of_half_positions_do_not_collide():
    exact = rope.rope_angles(torch.arange(250, 260), D)
    assert exact.dtype == torch.float32
    assert (exact[1:, 0] - exact[:-1, 0]).gt(0.9).all()
    assert rope.rope_angles(torch.arange(3).bfloat16(), D).dtype == torch.float32


def test_bfloat16_comes_back_as_bfloat16_and_near_its_float64_twin():
    x = double(B, H, T, D)
    half = rope.apply_rope(x.bfloat16(), rope.rope_angles(torch.arange(T), D))
    assert half.dtype == torch.bfloat16
    assert_close(half.double(), rope.apply_rope(x, angles()), atol=2e-2, rtol=2e-2)


def test_gradients_rotate_back():
    x = double(1, 1, T, D).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rope.apply_rope(x, angles()), (x,))


def test_positions_may_differ_within_a_batch():
    each = torch.tensor([[0, 1, 2], [5, 6, 9]])
    assert_close(rope.rope_angles(each, D)[1], rope.rope_angles(each[1], D))


def test_an_odd_head_names_its_neighbours():
    with pytest.raises(ValueError, match="use 12 or 14"):
        rope.rope_angles(torch.arange(3), 13)


def test_float64_positions_give_angles_exact_to_float64():
    exact = [12345.5 * 10000.0 ** (-2 * i / D) for i in range(D // 2)]
    ours = rope.rope_angles(torch.tensor([12345.5], dtype=torch.float64), D)[0]
    assert_close(ours, torch.tensor(exact, dtype=torch.float64), rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wide", [torch.float32, torch.float64])
def test_fused_rope_equals_apply_rope_with_and_without_gradients(dtype, wide):
    x, turns, d_out = double(B, H, T, D).to(dtype).requires_grad_(), angles(3).to(wide), double(B, H, T, D).to(dtype)
    exact = max(torch.finfo(dtype).eps, torch.finfo(wide).eps)
    outs = [f(x, turns) for f in (rope.fused_rope, rope.apply_rope)]
    assert outs[0].dtype == dtype
    assert_close(outs[0], outs[1], atol=4 * exact, rtol=exact)
    assert_close(*(torch.autograd.grad(out, x, d_out)[0] for out in outs), atol=4 * exact, rtol=exact)
    with torch.no_grad():
        assert rope.fused_rope(x, turns).equal(outs[0])


def test_gradients_of_fused_rope_are_right():
    x = double(2, 1, T, D).mT.contiguous().mT.requires_grad_()  # not contiguous, like heads that were split
    assert torch.autograd.gradcheck(lambda x: rope.fused_rope(x, angles()), (x,))
