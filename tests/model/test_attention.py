"""Attention against `F.scaled_dot_product_attention` and `nn.MultiheadAttention`; masks against their definition.

Loops and wrong answers live in `minqwen.check.lesson_01` and run in tests/check; here are the peers and properties.
"""

import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.check import trials
from minqwen.model import attention

B, H, T, S, D, Dv = 2, 3, 5, 7, 11, 13


@pytest.fixture
def qkv():
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.randn(B, H, length, width, generator=generator, dtype=torch.float64)
        for length, width in ((T, D), (S, D), (S, Dv))
    )


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_causal_mask_is_its_definition(T, S):
    mask = attention.causal_mask(T, S)
    assert mask.tolist() == [[s <= t + S - T for s in range(S)] for t in range(T)]


@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_torch(qkv, masked):
    mask = attention.causal_mask(T, S) if masked else None
    theirs = F.scaled_dot_product_attention(*qkv, attn_mask=mask)
    assert_close(attention.scaled_dot_product_attention(*qkv, mask), theirs)


def test_attention_equals_torch_on_every_case_of_its_exercise():
    for case in trials.cases("scaled_dot_product_attention"):
        q, k, v, mask = (case.args.get(name) for name in ("q", "k", "v", "mask"))
        theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        assert_close(attention.scaled_dot_product_attention(q, k, v, mask), theirs)


def test_the_fused_kernel_equals_the_formula_on_every_case_of_its_exercise():
    for case in trials.cases("scaled_dot_product_attention"):
        q, k, v, mask = (case.args.get(name) for name in ("q", "k", "v", "mask"))
        assert_close(attention.fused_attention(q, k, v, mask), attention.scaled_dot_product_attention(q, k, v, mask))


@pytest.mark.parametrize("length", [1, 7, 67, 257], ids=lambda n: f"{n} keys")
def test_the_fused_kernel_has_the_gradients_of_the_formula(length):
    generator, mask = torch.Generator().manual_seed(0), torch.ones(B, 1, length, length, dtype=torch.bool).tril()
    mask[1, :, :, : length // 2] = False  # padding on the left, whose queries see nothing
    drawn = [torch.randn(B, H, length, D, generator=generator, dtype=torch.float64) for _ in range(4)]
    *qkv, toward = (x.requires_grad_() for x in drawn)
    sides = [f(*qkv, mask) for f in (attention.fused_attention, attention.scaled_dot_product_attention)]
    assert_close(*sides)
    assert_close(*(torch.autograd.grad(out, qkv, toward) for out in sides))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=["T, S", "1, T, S", "1, 1, T, S"])
@pytest.mark.parametrize("length", [1, 2, 67, 257], ids=lambda n: f"{n} keys")
def test_the_word_causal_gives_the_numbers_and_gradients_of_the_mask(length, shape, monkeypatch):
    generator, mask = torch.Generator().manual_seed(0), attention.causal_mask(length, length).expand(*shape, -1, -1)
    drawn = [torch.randn(B, H, length, D, generator=generator, dtype=torch.float64) for _ in range(4)]
    *qkv, toward = (x.requires_grad_() for x in drawn)
    told, kernel = [], F.scaled_dot_product_attention
    with monkeypatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", lambda *qkv, **how: told.append(how) or kernel(*qkv, **how))
        fused = attention.fused_attention(*qkv, mask)
    assert told == [{"is_causal": True}]
    for other in (kernel(*qkv, attn_mask=mask), attention.scaled_dot_product_attention(*qkv, mask)):
        assert_close(fused, other)
        assert_close(*(torch.autograd.grad(out, qkv, toward, retain_graph=True) for out in (fused, other)))


@settings(deadline=None)
@given(st.integers(2, 9), st.data())
def test_a_mask_that_differs_in_one_place_is_not_taken_for_causal(T, data):
    mask = attention.causal_mask(T, T)
    t, s = data.draw(st.integers(0, T - 1)), data.draw(st.integers(0, T - 1))
    mask[t, s] = ~mask[t, s]
    q, k, v = torch.randn(3, T, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = attention.fused_attention(q, k, v, mask)
    assert_close(ours, attention.scaled_dot_product_attention(q, k, v, mask))
    assert not ours[t].allclose(attention.fused_attention(q, k, v, attention.causal_mask(T, T))[t])


@pytest.mark.parametrize(("T", "S"), [(2, 7), (7, 2), (1, 5)])
def test_a_causal_mask_over_a_cached_past_keeps_its_own_diagonal(T, S):
    generator, mask = torch.Generator().manual_seed(0), attention.causal_mask(T, S)
    q, k, v = (torch.randn(B, H, n, D, generator=generator, dtype=torch.float64) for n in (T, S, S))
    assert_close(attention.fused_attention(q, k, v, mask), attention.scaled_dot_product_attention(q, k, v, mask))


def test_triangles_of_which_one_is_short_are_no_causal_mask():
    mask = attention.causal_mask(T, T).repeat(B, 1, 1, 1)
    mask[1, :, :, 0] = False  # padding on the left
    q, k, v = torch.randn(3, B, H, T, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(attention.fused_attention(q, k, v, mask), attention.scaled_dot_product_attention(q, k, v, mask))


def test_the_order_of_keys_is_irrelevant_without_a_mask(qkv):
    q, k, v = qkv
    order = torch.randperm(S, generator=torch.Generator().manual_seed(1))
    shuffled = attention.scaled_dot_product_attention(q, k[:, :, order], v[:, :, order])
    assert_close(shuffled, attention.scaled_dot_product_attention(q, k, v))


def test_rows_of_weights_are_averages(qkv):
    weights = attention.attention_weights(*qkv[:2], attention.causal_mask(T, S))
    assert_close(weights.sum(-1), torch.ones(B, H, T, dtype=torch.float64))
    assert weights.masked_select(~attention.causal_mask(T, S)).eq(0).all()


def test_a_query_that_may_see_nothing_gets_zeros_and_finite_gradients(qkv):
    q, k, v = (x.clone().requires_grad_() for x in qkv)
    mask = torch.ones(T, S, dtype=torch.bool)
    mask[2] = False
    out = attention.scaled_dot_product_attention(q, k, v, mask)
    assert out[:, :, 2].eq(0).all()
    out.sum().backward()
    assert all(x.grad.isfinite().all() for x in (q, k, v))


def test_gradients_are_right_through_mask_and_softmax(qkv):
    q, k, v = (x[:1, :1].clone().requires_grad_() for x in qkv)
    mask = attention.causal_mask(T, S)
    assert torch.autograd.gradcheck(lambda *a: attention.scaled_dot_product_attention(*a, mask), (q, k, v))


def test_bfloat16_comes_back_as_bfloat16_and_near_its_float64_twin(qkv):
    half = attention.scaled_dot_product_attention(*(x.bfloat16() for x in qkv))
    assert half.dtype == torch.bfloat16
    assert_close(half.double(), attention.scaled_dot_product_attention(*qkv), atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize("heads", [1, 2, 5])
def test_multi_head_attention_equals_torch(heads):
    C = 30
    generator = torch.Generator().manual_seed(2)
    x, wq, wk, wv, wo = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) / 3 for shape in [(B, T, C)] + 4 * [(C, C)]
    )
    theirs = nn.MultiheadAttention(C, heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([wq, wk, wv]))
        theirs.out_proj.weight.copy_(wo)
    mask = attention.causal_mask(T, T)
    ours = attention.multi_head_attention(x, wq, wk, wv, wo, heads, mask)
    assert_close(ours, theirs(x, x, x, attn_mask=~mask, need_weights=False)[0])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_merging_undoes_splitting(heads, length, width):
    x = torch.arange(2.0 * length * heads * width).view(2, length, heads * width)
    split = attention.split_heads(x, heads)
    assert split.shape == (2, heads, length, width)
    assert attention.merge_heads(split).equal(x)


def test_query_heads_of_a_group_share_their_keys():
    x = torch.randn(B, 2, S, D, generator=torch.Generator().manual_seed(0))
    shared = attention.repeat_kv(x, groups=3)
    assert [shared[:, h].equal(x[:, h // 3]) for h in range(6)] == 6 * [True]


def test_grouped_attention_equals_torch():
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(B, 6, T, D, generator=generator), torch.randn(B, 2, S, D, generator=generator)
    ours = attention.scaled_dot_product_attention(q, attention.repeat_kv(k, 3), attention.repeat_kv(k, 3))
    assert_close(ours, F.scaled_dot_product_attention(q, k, k, enable_gqa=True), atol=1e-6, rtol=0)


def test_channels_that_do_not_split_name_the_nearest_width():
    with pytest.raises(ValueError, match="the nearest width that does is 9"):
        attention.split_heads(torch.zeros(T, 11), 3)


@pytest.mark.parametrize(
    ("mask", "remedy"),
    [
        pytest.param([[True] * S] * T, r"use torch\.tensor\(mask\)", id="a list"),
        pytest.param(torch.ones(T, S), "use mask == 1 for ones and zeros", id="ones and zeros"),
        pytest.param(torch.ones(T, S, dtype=torch.long), "use mask == 1 for ones and zeros", id="integers"),
        pytest.param(torch.ones(T, S + 1, dtype=torch.bool), "for padding of shape", id="one key too many"),
        pytest.param(torch.ones(S, dtype=torch.bool), "for padding of shape", id="one axis only"),
        pytest.param(torch.ones(B, S, dtype=torch.bool), "use padding.:, None, None, :.", id="padding as it comes"),
        pytest.param(
            torch.ones(1, B, H, T, S, dtype=torch.bool), "broadcasts to the scores", id="a dimension too many"
        ),
    ],
)
def test_a_mask_of_the_wrong_kind_is_refused_without_the_shape_checker_too(qkv, mask, remedy):
    # As in a notebook, where no hook checks shapes.
    bare, fused = inspect.unwrap(attention.attention_weights), inspect.unwrap(attention.fused_attention)
    with pytest.raises(ValueError, match=remedy):
        bare(*qkv[:2], mask)
    with pytest.raises(ValueError, match=remedy):
        fused(*qkv, mask)


def test_a_padding_mask_of_one_row_holds_for_every_query(qkv):
    padding = torch.arange(S)[None] < torch.tensor([[4], [6]])  # (B, S), as it comes
    everywhere = padding[:, None, None, :].expand(B, 1, T, S)
    ours = attention.scaled_dot_product_attention(*qkv, padding[:, None, None, :])
    assert_close(ours, attention.scaled_dot_product_attention(*qkv, everywhere))


def test_half_types_are_scaled_and_normalised_in_float32(qkv):
    q, k = qkv[0].bfloat16(), qkv[1].bfloat16()
    exact = ((q @ k.mT).float() / D**0.5).softmax(dim=-1)
    assert attention.attention_weights(q, k).equal(exact.bfloat16())
