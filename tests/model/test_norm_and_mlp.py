"""Layer norm and RMS norm against torch's; feed-forward against loops; SwiGLU by hand; the report's widths."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm

from minqwen.model import mlp, norm

B, T, C = 2, 5, 7


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_layer_norm_equals_torch():
    x, weight, bias = normal(B, T, C), normal(C), normal(1, C)[0]
    assert_close(norm.layer_norm(x, weight, bias, 1e-3), F.layer_norm(x, (C,), weight, bias, 1e-3))


def test_layer_norm_sees_neither_scale_nor_shift_nor_its_batch_mates():
    x, weight, bias = normal(B, T, C), normal(C), normal(1, C)[0]
    expected = norm.layer_norm(x, weight, bias, 1e-12)
    assert_close(norm.layer_norm(1000 * x + 5, weight, bias, 1e-12), expected)
    mates = x.clone()
    mates[1:] = 100.0
    assert norm.layer_norm(mates, weight, bias, 1e-12)[0].equal(expected[0])


def test_layer_norm_survives_squares_that_float16_cannot_hold():
    x = torch.tensor([-300.0, 300.0], dtype=torch.float16)
    ones, zeros = torch.ones(2, dtype=torch.float16), torch.zeros(2, dtype=torch.float16)
    assert_close(norm.layer_norm(x, ones, zeros), torch.tensor([-1.0, 1.0], dtype=torch.float16))


def test_gradients_of_layer_norm_and_feed_forward_are_right():
    x, weight, bias = (t.requires_grad_() for t in (normal(3, C), normal(C), normal(1, C)[0].clone()))
    assert torch.autograd.gradcheck(norm.layer_norm, (x, weight, bias))
    shapes = (3, C), (11, C), (11,), (C, 11), (C,)
    assert torch.autograd.gradcheck(mlp.feed_forward, tuple(normal(*s).requires_grad_() for s in shapes))


def test_feed_forward_is_its_formula_in_loops():
    x, w1, b1, w2, b2 = normal(T, C), normal(11, C), normal(11), normal(C, 11), normal(1, C)[0]
    rows = []
    for row in x.tolist():
        hidden = [max(0.0, sum(a * w for a, w in zip(row, ws)) + b) for ws, b in zip(w1.tolist(), b1.tolist())]
        rows.append([sum(a * w for a, w in zip(hidden, ws)) + b for ws, b in zip(w2.tolist(), b2.tolist())])
    assert_close(mlp.feed_forward(x, w1, b1, w2, b2), torch.tensor(rows, dtype=torch.float64))


def test_rms_norm_equals_torch():
    x, weight = normal(B, T, C), normal(C)
    assert_close(norm.rms_norm(x, weight, 1e-5), F.rms_norm(x, (C,), weight, 1e-5))


def test_rms_norm_does_not_see_the_scale():
    x, weight = normal(B, T, C), normal(C)
    assert_close(norm.rms_norm(1000 * x, weight, 1e-12), norm.rms_norm(x, weight, 1e-12))


def test_rms_norm_survives_squares_that_float16_cannot_hold():
    x = torch.full((C,), 300.0, dtype=torch.float16)  # its square, 90000, is past float16's 65504
    out = norm.rms_norm(x, torch.ones(C, dtype=torch.float16))
    assert out.dtype == torch.float16
    assert_close(out, torch.ones(C, dtype=torch.float16))


def test_rms_norm_keeps_every_value_where_layer_norm_would_subtract_the_mean():
    x = torch.tensor([3.0, 3.0, 3.0, 3.0])
    assert_close(norm.rms_norm(x, torch.ones(4)), torch.ones(4))


def test_gradients_of_rms_norm_are_right():
    x, weight = normal(3, C).requires_grad_(), normal(C)
    assert torch.autograd.gradcheck(norm.rms_norm, (x, weight.requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(C,), (B, T, C)], ids=["one token", "a batch"])
def test_fused_rms_norm_equals_rms_norm_with_and_without_gradients(dtype, shape):
    x, weight = normal(*shape).to(dtype), normal(C).to(dtype)
    exact = torch.finfo(dtype).eps
    with torch.no_grad():
        assert_close(norm.fused_rms_norm(x, weight, 1e-5), norm.rms_norm(x, weight, 1e-5), atol=8 * exact, rtol=exact)
    x, weight = x.requires_grad_(), weight.requires_grad_()
    outs = [f(x, weight, 1e-5) for f in (norm.fused_rms_norm, norm.rms_norm)]
    grads = [torch.autograd.grad((out * normal(*shape).to(dtype)).sum(), (x, weight)) for out in outs]
    assert outs[0].dtype == dtype
    assert_close(outs[0], outs[1], atol=8 * exact, rtol=exact)
    assert_close(grads[0], grads[1], atol=32 * exact, rtol=4 * exact)  # sums of B T products in another order


def test_gradients_of_fused_rms_norm_are_right():
    x, weight = normal(2, 3, C).requires_grad_(), normal(C).requires_grad_()
    assert torch.autograd.gradcheck(norm.fused_rms_norm, (x, weight))
    assert torch.autograd.gradcheck(lambda x: norm.fused_rms_norm(x, weight.detach(), 0.5), (x,))


def test_fused_rms_norm_of_zeros_is_zero_with_a_finite_gradient():
    x = torch.zeros(3, C, requires_grad=True)
    out = norm.fused_rms_norm(x, torch.ones(C))
    out.sum().backward()
    assert out.eq(0).all() and x.grad.isfinite().all()


def test_swiglu_is_its_formula():
    gate, up = [-2.0, 0.0, 1.5], [3.0, 5.0, 7.0]
    expected = torch.tensor([g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)])
    assert_close(mlp.swiglu(gate=torch.tensor(gate), up=torch.tensor(up)), expected)


def test_swiglu_is_linear_in_up_and_not_in_gate():
    gate, up = normal(B, C), normal(C, B).mT
    assert_close(mlp.swiglu(gate, 2 * up), 2 * mlp.swiglu(gate, up))
    assert not mlp.swiglu(2 * gate, up).allclose(2 * mlp.swiglu(gate, up))


@pytest.mark.parametrize(("d_model", "d_ff"), [(2048, 5504), (4096, 11008), (5120, 13696), (192, 512)])
def test_widths_are_those_of_the_report(d_model, d_ff):
    assert mlp.ffn_width(d_model) == d_ff


def test_half_types_are_normalised_in_float32_and_weighted_as_they_are():
    x, theirs = normal(B, T, C).bfloat16(), Qwen2RMSNorm(C, eps=1e-5).bfloat16()
    with torch.no_grad():
        theirs.weight.copy_(1 + normal(C))
        assert norm.rms_norm(x, theirs.weight, 1e-5).equal(theirs(x))
