"""Oracles: the block's own output, recomputed from the maps; scores as loops; a model whose W^O columns are zero."""

import copy

import pytest
import torch
from torch.testing import assert_close

from minqwen.model import attention
from minqwen.show import heads

L, H, T = 3, 5, 11


@pytest.fixture
def ids(model):
    return torch.randint(model.config.vocab_size, (T,), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def random_maps():
    return torch.rand(L, H, T, T, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_maps_are_what_the_model_used(model, ids):
    seen = []
    hooks = [
        block.self_attn.register_forward_hook(lambda layer, inputs, output: seen.append((inputs, output)))
        for block in model.model.layers
    ]
    with torch.no_grad():
        maps = heads.attention_maps(model, ids)
        for weights, block, (inputs, output) in zip(maps, model.model.layers, seen, strict=True):
            _, _, v = block.self_attn.queries_keys_values(*inputs[:2])
            mixed = weights @ attention.repeat_kv(v, H)[0]
            assert_close(block.self_attn.o_proj(attention.merge_heads(mixed)), output[0])
    for hook in hooks:
        hook.remove()


def test_rows_sum_to_one_and_the_future_is_zero(model, ids):
    maps = heads.attention_maps(model, ids)
    assert maps.shape == (L, H, T, T)
    assert_close(maps.sum(dim=-1), torch.ones(L, H, T, dtype=torch.float64))
    assert maps.triu(1).eq(0).all()


def test_contributions_are_the_lengths_of_the_summands_of_the_block_output(model, ids):
    D, seen = model.config.d_head, []
    hook = model.model.layers[1].self_attn.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    with torch.no_grad():
        maps, added = heads.attention_maps(model, ids), heads.contributions(model, ids)
        layer = model.model.layers[1].self_attn
        _, _, v = layer.queries_keys_values(*seen[0][:2])
        for head, t, s in [(0, 0, 0), (2, 7, 3), (4, 10, 9), (1, 3, 8)]:
            out = layer.o_proj.weight[:, head * D : (head + 1) * D]
            assert_close(added[1, head, t, s], (maps[1, head, t, s] * out @ v[0, 0, s]).norm())
    hook.remove()


def test_one_token_attends_to_itself(model, ids):
    assert_close(heads.attention_maps(model, ids[:1]), torch.ones(L, H, 1, 1, dtype=torch.float64))


def test_maps_leave_the_model_as_it_was(model, ids):
    before = model(ids[None])
    heads.attention_maps(model, ids)
    assert torch.equal(model(ids[None]), before)
    assert not any(block.self_attn._forward_pre_hooks for block in model.model.layers)


def loop_mean(maps, layer, head, pairs):
    return sum(float(maps[layer, head, t, s]) for t, s in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("score", "pairs"),
    [
        pytest.param(heads.previous_token_score, [(t, t - 1) for t in range(1, T)], id="previous token"),
        pytest.param(heads.first_token_score, [(t, 0) for t in range(1, T)], id="first token"),
        pytest.param(
            lambda maps: heads.induction_score(maps, period=4), [(t, t - 3) for t in range(4, T)], id="induction"
        ),
    ],
)
def test_a_score_is_the_mean_over_its_pairs(score, pairs, random_maps):
    expected = [[loop_mean(random_maps, layer, head, pairs) for head in range(H)] for layer in range(L)]
    assert_close(score(random_maps), torch.tensor(expected, dtype=torch.float64))


def test_a_head_that_copies_what_came_next_scores_one_for_induction():
    maps = torch.zeros(1, 1, 10, 10)
    ids = [3, 1, 4, 1, 5] * 2
    for t in range(5, 10):
        last_time = t - 5
        assert ids[last_time] == ids[t]
        maps[0, 0, t, last_time + 1] = 1.0
    assert heads.induction_score(maps, period=5).item() == 1.0


def test_a_score_of_too_few_tokens_says_what_to_give(random_maps):
    with pytest.raises(ValueError, match="give a longer text"):
        heads.previous_token_score(random_maps[..., :1, :1])
    with pytest.raises(ValueError, match="needs 12 tokens"):
        heads.induction_score(random_maps, period=T)


def test_an_ablated_head_is_one_whose_columns_of_the_output_matrix_are_zero(model, ids):
    off = [(0, 2), (0, 4), (2, 1)]
    twin = copy.deepcopy(model)
    D = model.config.d_head
    with torch.no_grad():
        for layer, head in off:
            twin.model.layers[layer].self_attn.o_proj.weight[:, head * D : (head + 1) * D] = 0.0
        with heads.ablate_heads(model, off):
            inside = model(ids[None])
    assert_close(inside, twin(ids[None]))
    assert not torch.allclose(inside, model(ids[None]), rtol=1e-6)


def test_heads_are_back_after_an_error(model, ids):
    before = model(ids[None])
    with pytest.raises(RuntimeError), heads.ablate_heads(model, [(0, 0)]):
        raise RuntimeError
    assert torch.equal(model(ids[None]), before)


@pytest.mark.parametrize("head", [(3, 0), (0, 5), (-1, 0)])
def test_a_head_that_does_not_exist_is_refused(model, head):
    with pytest.raises(ValueError, match="layers from 0 to 2 and heads from 0 to 4"), heads.ablate_heads(model, [head]):
        pass


def test_contributions_are_the_lengths_of_what_a_token_adds(model, ids):
    with torch.no_grad():
        added, maps = heads.contributions(model, ids), heads.attention_maps(model, ids)
        first = model.model.layers[0]
        layer, D = first.self_attn, model.config.d_head
        v = layer.v_proj(first.input_layernorm(model.model.embed_tokens(ids)))
        for h in range(layer.n_heads):
            shared = h // (layer.n_heads // layer.n_kv_heads)
            written = v[:, shared * D : (shared + 1) * D] @ layer.o_proj.weight[:, h * D : (h + 1) * D].T
            expected = maps[0, h] * written.norm(dim=-1)
            assert_close(added[0, h], expected, atol=1e-6, rtol=1e-4)
