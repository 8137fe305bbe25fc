"""The loss against `F.cross_entropy`, the schedule against `torch.optim.lr_scheduler`."""

import itertools
import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.model import loss, schedule

B, T, V = 2, 5, 13


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(B, T, V, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, V, (B, T), generator=generator)


def test_a_masked_mean_is_the_mean_of_what_is_left():
    values, mask = torch.randn(2, 3, 5), torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    mask[..., 0] = True
    means = loss.masked_mean(values, mask)
    assert_close(means, torch.tensor([[row[keep].mean() for row, keep in zip(*rows)] for rows in zip(values, mask)]))
    assert_close(loss.masked_mean(values[0, 0], mask[0, 0]), means[0, 0])


def test_a_masked_mean_never_reads_what_is_hidden_and_is_zero_over_nothing():
    values = torch.tensor([[1.0, math.nan], [math.inf, 5.0], [math.nan, math.inf]])
    mask = torch.tensor([[True, False], [False, True], [False, False]])
    assert loss.masked_mean(values, mask).tolist() == [1.0, 5.0, 0.0]


def test_the_loss_equals_torch(batch):
    logits, targets = batch
    assert_close(loss.next_token_loss(logits, targets), F.cross_entropy(logits.flatten(0, 1), targets.flatten()))


def test_a_mask_counts_only_what_is_true(batch):
    logits, targets = batch
    mask = torch.rand(B, T, generator=torch.Generator().manual_seed(1)) < 0.6
    theirs = F.cross_entropy(logits.flatten(0, 1), targets.where(mask, -100).flatten())
    assert_close(loss.next_token_loss(logits, targets, mask), theirs)


def test_a_batch_without_a_position_to_learn_gives_zero_and_zero_gradient(batch):
    logits, targets = batch
    logits.requires_grad_()
    value = loss.next_token_loss(logits, targets, torch.zeros(B, T, dtype=torch.bool))
    value.backward()
    assert value == 0 and logits.grad.eq(0).all()


@pytest.mark.parametrize("share", [None, 0.6, 0.0], ids=["all", "some", "none"])
def test_the_fused_loss_and_its_gradient_equal_the_plain_ones(batch, share):
    logits, targets = batch
    logits = (300 * logits).requires_grad_()  # some targets have probabilities that float64 rounds to 0
    mask = None if share is None else torch.rand(B, T, generator=torch.Generator().manual_seed(1)) < share
    values = [f(logits, targets, mask) for f in (loss.fused_next_token_loss, loss.next_token_loss)]
    assert_close(*values)
    assert_close(*(torch.autograd.grad(3 * value, logits)[0] for value in values))


def test_the_fused_loss_is_exact_for_bfloat16_and_its_gradient_checks(batch):
    logits, targets = batch
    assert torch.autograd.gradcheck(lambda z: loss.fused_next_token_loss(z, targets), (logits.requires_grad_(),))
    half = logits.detach().bfloat16().requires_grad_()
    values = [f(half, targets) for f in (loss.fused_next_token_loss, loss.next_token_loss)]
    assert values[0].dtype == torch.float32 and values[0].equal(values[1])
    assert_close(*(torch.autograd.grad(value, half)[0] for value in values), atol=1e-3, rtol=1e-2)


def test_a_uniform_guess_costs_the_logarithm_of_the_vocabulary(batch):
    _, targets = batch
    assert_close(loss.next_token_loss(torch.zeros(B, T, V), targets), torch.tensor(math.log(V)))


def test_large_logits_do_not_overflow(batch):
    logits, targets = batch
    assert loss.next_token_loss(1e4 * logits, targets).isfinite()


def test_gradients_of_the_loss_are_right(batch):
    logits, targets = batch
    assert torch.autograd.gradcheck(lambda logits: loss.next_token_loss(logits, targets), (logits.requires_grad_(),))


def test_after_the_warm_up_the_schedule_is_torchs_cosine():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90, eta_min=3e-5)
    for step in range(10, 101):
        assert schedule.cosine_schedule(step, 10, 100, 3e-4) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_the_warm_up_is_a_line_and_the_floor_stays():
    rates = [schedule.cosine_schedule(step, 4, 20, 1.0) for step in range(30)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0 and max(rates) == 1.0
    assert rates[20:] == pytest.approx(10 * [0.1])
    assert all(a >= b for a, b in itertools.pairwise(rates[4:]))


def test_a_warm_up_longer_than_the_run_names_a_usual_one():
    with pytest.raises(ValueError, match="a hundredth of the run is usual: 5"):
        schedule.cosine_schedule(0, warmup=600, total=500, peak=1.0)


def test_the_loss_of_half_logits_is_taken_in_float32(batch):
    logits, targets = batch
    half = loss.next_token_loss(logits.bfloat16(), targets)
    assert half.dtype == torch.float32
    assert_close(half.double(), loss.next_token_loss(logits.bfloat16().double(), targets), atol=1e-6, rtol=0)


def test_the_floor_is_the_share_that_was_asked_for():
    assert schedule.cosine_schedule(99, 0, 99, peak=2.0, floor_share=0.25) == pytest.approx(0.5)


def test_a_run_that_is_all_warm_up_is_refused():
    with pytest.raises(ValueError, match="a hundredth of the run is usual"):
        schedule.cosine_schedule(0, warmup=10, total=10, peak=1.0)
