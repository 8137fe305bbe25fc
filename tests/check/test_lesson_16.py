"""Lesson 16: what the statements claim, and answers in other words. Oracles: the library's own loop, and numbers by
hand."""

import contextlib
import io

import pytest
import torch
from torch.testing import assert_close

from minqwen.check import EXERCISES, check, using
from minqwen.model import QwenConfig, cost
from minqwen.model.training import packing


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].solution}", cells)
    return cells


def by_token(B, T, n_layers, C, Ckv, F, V):
    """Six for each weight and token, and 6·C for each layer, token and meeting on average."""
    weights = C * V + n_layers * (2 * C * (C + Ckv) + 3 * C * F)
    return B * T * (6 * weights + 6 * n_layers * C * (T + 1))


def test_a_right_answer_in_other_words_passes():
    assert check(by_token, "step_flops")


def test_the_example_of_the_statement_is_right():
    assert cost.step_flops(1, 1, 1, 6, 6, 16, 10) == 3024 == 3 * (2 * 492 + 24)


def test_costs_go_by_the_learners_operations():
    def step_flops(B, T, n_layers, C, Ckv, F, V):
        return 7

    with using(step_flops):
        assert cost.step_flops(8, 256, **cost.shape(QwenConfig())) == 7


def test_the_share_is_that_of_the_cost_model():
    assert EXERCISES["16_share"].answer == pytest.approx(cost.state_bytes(7_721_324_544, 8, 3) / 1e9)
    assert check(15, "16_share") and check(15.4, "16_share") and not check(14.38, "16_share")
    wrong = EXERCISES["16_share"].wrong_answers
    for name, stage in (("whole", 0), ("moments_shared", 1), ("weights_whole", 2)):
        assert wrong[name].value == pytest.approx(cost.state_bytes(7_721_324_544, 8, stage) / 1e9, rel=1e-3)


@pytest.mark.parametrize("n_processes", [1, 2, 4])
def test_the_mended_shares_are_the_rows_of_the_librarys_batch(n_processes):
    fixed = solved("16_same_data")["fixed"]
    windows = torch.arange(20)[:, None]
    batch = next(packing.shuffled_batches(windows, 8, torch.Generator().manual_seed(5)))
    assert fixed(20, 8, n_processes, 5).equal(batch.view(n_processes, -1))


def test_a_share_by_every_other_place_is_right_as_well():
    def fixed(n_windows, batch_size, n_processes, seed):
        order = torch.randperm(n_windows, generator=torch.Generator().manual_seed(seed))[:batch_size]
        return torch.stack([order[rank::n_processes] for rank in range(n_processes)])

    assert check(fixed, "16_same_data", cause="b")


def test_gradients_that_are_added_up_are_right_as_well():
    def fixed(weight, x, y, n_processes):
        shares = zip(x.chunk(n_processes), y.chunk(n_processes))
        return weight - 0.1 * sum(2 * rows.mT @ (rows @ weight - targets) / len(x) for rows, targets in shares)

    assert check(fixed, "16_averaged_twice", cause="c")


def test_the_mended_step_is_torchs():
    fixed, rng = solved("16_averaged_twice")["fixed"], torch.Generator().manual_seed(0)
    x, y = torch.randn(12, 5, generator=rng), torch.randn(12, generator=rng)
    weight = torch.nn.Parameter(torch.randn(5, generator=rng))
    start, optimizer = weight.detach().clone(), torch.optim.SGD([weight], lr=0.1)
    torch.nn.functional.mse_loss(x @ weight, y).backward()
    optimizer.step()
    for n_processes in (1, 3, 4):
        assert_close(fixed(start, x, y, n_processes), weight.detach())
