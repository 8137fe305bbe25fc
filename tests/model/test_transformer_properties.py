"""Properties of the Transformer of 2017 for any lengths and contents: what may change its logits, and what may not."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from minqwen.model.transformer import Transformer, TransformerConfig

V = 17
MODELS = [
    Transformer(
        TransformerConfig(vocab_size=V, d_model=22, n_layers=2, n_heads=2, d_ff=13, norm_first=norm_first),
        torch.Generator().manual_seed(0),
    ).double()
    for norm_first in (False, True)
]
models = st.sampled_from(MODELS)
any_ids = st.integers(0, V - 1)


@st.composite
def batches(draw) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """source, target, is_source, is_target: one to three rows, each padded on the right with any ids."""
    B, S, T = (draw(st.integers(1, most)) for most in (3, 6, 6))
    ids = [torch.tensor(draw(st.lists(any_ids, min_size=B * n, max_size=B * n))).view(B, n) for n in (S, T)]
    lengths = [torch.tensor([draw(st.integers(1, n)) for _ in range(B)]) for n in (S, T)]
    return *ids, *(torch.arange(n) < length[:, None] for n, length in zip((S, T), lengths))


def other(ids: torch.Tensor, where: torch.Tensor, by: int) -> torch.Tensor:
    """Every id at `where` replaced by another one."""
    return torch.where(where, (ids + by) % V, ids)


@settings(deadline=None, max_examples=30)
@given(models, batches(), st.integers(0, 5), st.integers(1, V - 1))
@torch.no_grad()
def test_the_decoder_sees_no_later_target(model, batch, t, by):
    source, target, is_source, is_target = batch
    later = torch.arange(target.shape[1]) > t
    changed = model(source, other(target, later, by), is_source, is_target)
    assert changed[:, : t + 1].equal(model(*batch)[:, : t + 1])


@settings(deadline=None, max_examples=30)
@given(models, batches(), st.integers(1, V - 1))
@torch.no_grad()
def test_the_decoder_sees_its_present_target_and_the_source(model, batch, by):
    source, target, is_source, is_target = batch
    first = torch.arange(target.shape[1]) == 0
    before = model(*batch)
    assert not model(source, other(target, first, by), is_source, is_target)[:, 0].allclose(before[:, 0], atol=1e-9)
    moved = model(other(source, is_source, by), target, is_source, is_target)
    assert not moved[:, 0].allclose(before[:, 0], atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(models, batches(), st.integers(1, V - 1), st.integers(1, 3))
@torch.no_grad()
def test_what_stands_in_the_padding_and_how_much_there_is_changes_nothing(model, batch, by, more):
    source, target, is_source, is_target = batch
    before = model(*batch)
    changed = model(other(source, ~is_source, by), other(target, ~is_target, by), is_source, is_target)
    assert changed[is_target].equal(before[is_target])
    wider = [torch.nn.functional.pad(ids, (0, more), value=by) for ids in (source, target)]
    longer = [torch.nn.functional.pad(kept, (0, more), value=False) for kept in (is_source, is_target)]
    assert_close(model(*wider, *longer)[:, : target.shape[1]][is_target], before[is_target])


@settings(deadline=None, max_examples=30)
@given(models, batches(), st.randoms(use_true_random=False))
@torch.no_grad()
def test_rows_in_another_order_give_their_logits_in_that_order(model, batch, random):
    order = random.sample(range(len(batch[0])), len(batch[0]))
    assert_close(model(*(each[order] for each in batch)), model(*batch)[order])


@settings(deadline=None, max_examples=30)
@given(models, batches())
@torch.no_grad()
def test_a_row_of_a_batch_reads_as_it_does_alone(model, batch):
    source, target, is_source, is_target = batch
    together = model(*batch)
    for b, (s, t) in enumerate(zip(is_source.sum(-1), is_target.sum(-1))):
        alone = model(source[b : b + 1, :s], target[b : b + 1, :t], is_source[b : b + 1, :s], is_target[b : b + 1, :t])
        assert_close(together[b, :t], alone[0])
