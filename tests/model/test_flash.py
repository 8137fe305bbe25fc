"""Flash attention against its slow twin and torch's kernel; tiles against the definition of the masks."""

import inspect
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.check import loops
from minqwen.model import attention, flash, tiles

B, H, T, S, D, Dv = 2, 3, 13, 17, 11, 7
EXACT = {"atol": 1e-10, "rtol": 0}


def draw(*shapes, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.fixture
def qkv():
    return draw((B, H, T, D), (B, H, S, D), (B, H, S, Dv))


def seen(T, S, causal=False, window=None):
    """The mask by its definition, one pair at a time."""
    behind = [[t + S - T - s for s in range(S)] for t in range(T)]
    return torch.tensor([[not causal or 0 <= b < (window or S + T) for b in row] for row in behind])


BLOCKS = list(itertools.product([1, 2, 3, 5, 13, 64], [1, 2, 4, 7, 17, 64]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("block_q", "block_k"), BLOCKS)
def test_every_tile_size_gives_the_formula(qkv, causal, block_q, block_k):
    expected = attention.scaled_dot_product_attention(*qkv, seen(T, S, causal))
    assert_close(flash.flash_attention(*qkv, causal, block_q, block_k), expected, **EXACT)
    single = flash.flash_attention(*(x.float() for x in qkv), causal, block_q, block_k)
    assert_close(single, expected.float(), atol=1e-5, rtol=0)


def test_flash_equals_plain_loops():
    q, k, v = draw((T, D), (S, D), (S, Dv))
    assert_close(flash.flash_attention(q, k, v, True, 5, 4), loops.attention(q, k, v, seen(T, S, True)))


def test_flash_equals_torchs_kernel(qkv):
    q, k, v = (x[..., :T, :] for x in qkv)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert_close(flash.flash_attention(q, k, v, True, 5, 4), theirs)


@given(*(st.integers(1, 9) for _ in range(4)), st.integers(1, 11), st.booleans())
def test_windows_of_any_size_hide_what_their_definition_hides(T, S, block_q, block_k, window, causal):
    q, k, v = draw((T, D), (S, D), (S, Dv))
    limit = window if causal else None
    expected = attention.scaled_dot_product_attention(q, k, v, seen(T, S, causal, limit))
    assert_close(flash.flash_attention(q, k, v, causal, block_q, block_k, limit), expected, **EXACT)


@given(*(st.integers(1, 9) for _ in range(4)), st.integers(1, 11), st.booleans())
def test_tiles_cover_each_visible_pair_once(T, S, block_q, block_k, window, causal):
    grid = tiles.grid(T, S, causal, window if causal else None, block_q, block_k)
    count = torch.zeros(T, S, dtype=torch.long)
    for rows in grid.rows():
        for keys in grid.keys(rows):
            mask = grid.mask(rows, keys)
            assert mask is None or not mask.all(), "a mask that hides nothing"
            count[rows, keys] += 1 if mask is None else mask
    assert count.equal(seen(T, S, causal, window if causal else None).long())


def test_a_causal_grid_of_square_tiles_skips_almost_half_of_them():
    grid = tiles.grid(64, 64, True, None, 8, 8)
    assert sum(1 for rows in grid.rows() for _ in grid.keys(rows)) == 8 * 9 // 2
    windowed = tiles.grid(64, 64, True, 8, 8, 8)
    assert sum(1 for rows in windowed.rows() for _ in windowed.keys(rows)) == 8 + 7


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_seen_by_nobody(qkv, causal):
    is_token = torch.tensor([[s >= pad for s in range(S)] for pad in (3, 9)])[:, None]
    mask = seen(T, S, causal) & is_token[:, None]
    expected = attention.scaled_dot_product_attention(*qkv, mask)
    assert_close(flash.flash_attention(*qkv, causal, 5, 4, is_token=is_token), expected, **EXACT)


@pytest.mark.parametrize("block", [1, 3, 64])
def test_a_query_that_sees_nothing_gets_zeros_and_finite_gradients(block):
    q, k, v = (x.requires_grad_() for x in draw((H, T, D), (H, T - 4, D), (H, T - 4, Dv)))
    is_token = torch.arange(T - 4)[None] >= 2
    out = flash.flash_attention(q, k, v, True, block, block, is_token=is_token)
    assert out[:, :6].eq(0).all() and out[:, 6:].ne(0).all()
    given = torch.autograd.grad(out.sum(), (q, k, v))
    mask = seen(T, T - 4, True) & is_token
    slow = attention.scaled_dot_product_attention(q, k, v, mask)
    for ours, theirs in zip(given, torch.autograd.grad(slow.sum(), (q, k, v))):
        assert_close(ours, theirs, **EXACT)


@pytest.mark.parametrize("n_kv_heads", [1, 2, 3])
def test_heads_of_a_group_share_their_keys(n_kv_heads):
    q, k, v = (x.requires_grad_() for x in draw((B, 6, T, D), (B, n_kv_heads, S, D), (B, n_kv_heads, S, Dv)))
    groups = 6 // n_kv_heads
    repeated = attention.repeat_kv(k, groups), attention.repeat_kv(v, groups)
    slow = attention.scaled_dot_product_attention(q, *repeated, seen(T, S, True))
    ours = flash.flash_attention(q, k, v, True, 5, 4)
    assert_close(ours, slow, **EXACT)
    [toward] = draw(ours.shape, seed=1)
    for mine, theirs in zip(*(torch.autograd.grad(out, (q, k, v), toward) for out in (ours, slow))):
        assert_close(mine, theirs, **EXACT)


@pytest.mark.parametrize(("block_q", "block_k"), [(1, 1), (3, 4), (5, 2), (64, 64)])
@pytest.mark.parametrize("options", [{}, {"causal": True}, {"causal": True, "window": 3}], ids=str)
def test_the_backward_pass_is_the_gradient(block_q, block_k, options):
    qkv = [x.requires_grad_() for x in draw((2, 5, 3), (2, 7, 3), (2, 7, 2))]
    is_token = torch.arange(7)[None] >= torch.tensor([[0], [3]])

    def function(*args):
        return flash.flash_attention(*args, block_q=block_q, block_k=block_k, is_token=is_token, **options)

    assert torch.autograd.gradcheck(function, qkv)


@pytest.mark.parametrize(("block_q", "block_k"), [(7, 5), (64, 64)])
def test_gradients_in_float32_are_those_of_the_formula(block_q, block_k):
    qkv = [x.requires_grad_() for x in draw((H, 67, D), (H, 67, D), (H, 67, Dv), dtype=torch.float32)]
    [toward] = draw((H, 67, Dv), dtype=torch.float32, seed=1)
    ours = flash.flash_attention(*qkv, True, block_q, block_k)
    slow = attention.scaled_dot_product_attention(*qkv, attention.causal_mask(67, 67))
    for mine, theirs in zip(*(torch.autograd.grad(out, qkv, toward) for out in (ours, slow))):
        assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_bfloat16_is_summed_in_float32(qkv):
    half = [x.bfloat16().requires_grad_() for x in qkv]
    out = flash.flash_attention(*half, True, 5, 4)
    exact = attention.scaled_dot_product_attention(*(x.detach().double() for x in half), seen(T, S, True))
    assert out.dtype == torch.bfloat16
    assert_close(out, exact.bfloat16(), atol=8e-3, rtol=8e-3)  # one rounding of the result: 8 bits
    assert all(x.dtype == torch.bfloat16 for x in torch.autograd.grad(out.sum(), half))


@pytest.mark.parametrize("scale", [1.0, 300.0], ids=["small scores", "scores that overflow exp"])
@given(st.permutations(range(S)), st.integers(0, S))
def test_the_order_and_the_parts_in_which_keys_come_do_not_matter(scale, order, cut):
    scores, values = draw((T, S), (S, Dv))
    scores[:, 3] = float("-inf")
    state = flash.empty_state(T, Dv=Dv, dtype=torch.float64)
    for part in (order[:cut], order[cut:]):
        if part:
            state = flash.online_softmax_step(state, scale * scores[:, part], values[part])
    assert_close(state.weighted / state.total[:, None], (scale * scores).softmax(-1) @ values)
    assert_close(state.maximum + state.total.log(), (scale * scores).logsumexp(-1))


def test_a_step_of_hidden_keys_changes_nothing():
    scores, values = draw((T, S), (S, Dv))
    empty = flash.empty_state(T, Dv=Dv, dtype=torch.float64)
    hidden = torch.full_like(scores, float("-inf"))
    for before in (empty, flash.online_softmax_step(empty, scores, values)):
        for old, new in zip(before, flash.online_softmax_step(before, hidden, values)):
            assert_close(new, old)


def test_a_learners_step_is_what_flash_runs_on(qkv, monkeypatch):
    steps = []
    monkeypatch.setattr(flash, "online_softmax_step", lambda *a, f=flash.online_softmax_step: steps.append(1) or f(*a))
    flash.flash_attention(*qkv, False, 5, 4)
    assert len(steps) == 3 * 5


def test_what_is_kept_for_the_way_back_grows_with_the_length_only():
    kept = {}
    for length in (64, 128):
        qkv = [x.requires_grad_() for x in draw(*3 * [(1, 1, length, D)])]
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, s=sizes: (s.append(x.numel()), x)[1], lambda x: x):
            flash.flash_attention(*qkv, True, 16, 16)
        kept[length] = sum(sizes)
    assert kept[128] == 2 * kept[64] == 2 * 64 * (4 * D + 1)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        pytest.param({"block_q": 0}, "512 suits every length", id="no queries in a tile"),
        pytest.param({"block_k": -3}, "512 suits every length", id="less than no keys"),
        pytest.param({"causal": True, "window": 0}, "use 1 or more, or None for no limit", id="a window of 0"),
        pytest.param({"window": 3}, "use it with causal=True", id="a window that looks both ways"),
        pytest.param({"is_token": torch.ones(B, 1, S)}, "True = takes part", id="ones for True"),
        pytest.param({"is_token": [True] * S}, "True = takes part", id="a list"),
        pytest.param({"is_token": torch.ones(B, S).bool()}, r"use padding\[:, None\]", id="padding as it comes"),
    ],
)
def test_options_that_cannot_be_name_the_way_out(qkv, options, remedy):
    with pytest.raises(ValueError, match=remedy):
        inspect.unwrap(flash.flash_attention)(*qkv, **options)


def test_heads_that_do_not_share_are_refused():
    with pytest.raises(ValueError, match="those of the keys divide those of the queries"):
        flash.flash_attention(*draw((B, 3, T, D), (B, 2, S, D), (B, 2, S, Dv)))
