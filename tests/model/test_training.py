"""The loop against a hand-written AdamW step; packing against its definition; a toy language that must be learned."""

import math

import pytest
import torch
from torch.nn import functional as F

from minqwen.model import Qwen, QwenConfig, schedule, training
from minqwen.model.training import loop

CONFIG = QwenConfig(vocab_size=23, d_model=28, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=31, max_length=16)


def test_packing_puts_a_separator_before_each_document_and_loses_only_the_end():
    windows = training.pack([[1, 2, 3], [4, 5], [6]], separator=0, length=4)
    assert windows.tolist() == [[0, 1, 2, 3], [0, 4, 5, 0]]


def test_too_little_text_names_the_length_that_fits():
    with pytest.raises(ValueError, match="use length=4 or more text"):
        training.pack([[1, 2, 3]], separator=0, length=5)


def test_an_epoch_shows_every_window_once():
    windows = torch.arange(12).view(6, 2)
    batches = training.shuffled_batches(windows, 3, torch.Generator().manual_seed(0))
    for _ in range(3):
        epoch = torch.cat([next(batches), next(batches)])
        assert sorted(epoch.tolist()) == windows.tolist()


def test_an_epoch_has_an_order_of_its_own_and_drops_what_fills_no_batch():
    windows = torch.arange(14).view(7, 2)
    batches = training.shuffled_batches(windows, 3, torch.Generator().manual_seed(0))
    epochs = [torch.cat([next(batches), next(batches)]).tolist() for _ in range(3)]
    assert all(len(epoch) == 6 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("given", [1, 2, 3, 4, 5])
def test_batches_go_on_from_the_state_of_others(given):
    windows = torch.arange(14).view(7, 2)
    first = training.shuffled_batches(windows, 3, torch.Generator().manual_seed(0))
    for _ in range(given):
        next(first)
    again = training.shuffled_batches(windows, 3, torch.Generator().manual_seed(99))
    again.resume(first.state())
    assert (again.epoch, again.described) == ((given - 1) // 2, first.described)
    assert [next(again).tolist() for _ in range(5)] == [next(first).tolist() for _ in range(5)]


def test_fewer_windows_than_a_batch_are_one_batch():
    windows = torch.arange(4).view(2, 2)
    assert sorted(next(training.shuffled_batches(windows, 5, torch.Generator().manual_seed(0))).tolist()) == [
        [0, 1],
        [2, 3],
    ]


def test_position_t_is_asked_for_token_t_plus_one():
    model = Qwen(CONFIG, torch.Generator().manual_seed(0))
    batch = torch.randint(0, 23, (3, 8), generator=torch.Generator().manual_seed(1))
    theirs = F.cross_entropy(model(batch)[:, :-1].flatten(0, 1), batch[:, 1:].flatten())
    torch.testing.assert_close(training.batch_loss(model, batch), theirs)


def test_steps_are_adamw_by_its_formula():
    """Two parameters of two kinds followed over three steps, with moments kept by hand."""
    model, twin = (Qwen(CONFIG, torch.Generator().manual_seed(0)) for _ in range(2))
    batches = torch.randint(0, 23, (3, 3, 8), generator=torch.Generator().manual_seed(1))
    reports = list(training.train(model, batches, steps=3, peak=1e-2, warmup=0, clip=1e9))
    parameters = list(twin.parameters())
    m, v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for t, (batch, report) in enumerate(zip(batches, reports), start=1):
        gradients = torch.autograd.grad(training.batch_loss(twin, batch), parameters)
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(parameters, gradients)):
                p *= 1 - report.learning_rate * (0.1 if p.ndim >= 2 else 0.0)
                m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.95 * v[i] + 0.05 * g**2
                step = (m[i] / (1 - 0.9**t)) / ((v[i] / (1 - 0.95**t)).sqrt() + 1e-8)
                p -= report.learning_rate * step
    for (name, ours), theirs in zip(model.named_parameters(), parameters):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3, msg=name)


def test_speed_counts_predicted_tokens(monkeypatch):
    times = iter([3.0, 5.0])
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(times))
    [report] = training.train(Qwen(CONFIG), [torch.zeros(5, 8, dtype=torch.long)], steps=1, peak=1e-3, warmup=0)
    assert report.tokens_per_second == 5 * 7 / 2


def test_nats_are_the_sum_over_all_predicted_tokens_whatever_the_batch():
    model, windows = Qwen(CONFIG), torch.randint(0, 23, (5, 8), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten(), reduction="sum")
    for batch_size in (2, 5, 16):
        assert training.nats(model, windows, batch_size) == pytest.approx(theirs.item())


@pytest.mark.parametrize("parts", [2, 3, 5, 9])
def test_parts_of_unequal_size_add_up_to_the_gradient_of_the_batch(parts):
    batch = torch.randint(0, 23, (5, 8), generator=torch.Generator().manual_seed(1))
    whole, cut = (Qwen(CONFIG, torch.Generator().manual_seed(0)).double() for _ in range(2))
    values = loop.accumulate(whole, batch, 1, False), loop.accumulate(cut, batch, parts, False)
    torch.testing.assert_close(values[1], values[0], check_dtype=False)
    for ours, theirs in zip(cut.parameters(), whole.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_last_step_has_what_the_cosine_leaves_of_the_peak(share):
    batches = [torch.zeros(2, 5, dtype=torch.long)] * 4
    steps = list(training.train(Qwen(CONFIG), batches, steps=4, peak=1e-3, warmup=1, floor_share=share))
    rates = [schedule.cosine_schedule(step, 1, 4, 1e-3, share) for step in range(4)]
    assert [step.learning_rate for step in steps] == rates


def test_a_gradient_that_is_no_number_stops_the_run_before_its_step():
    model = Qwen(CONFIG)
    model.lm_head.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = model.lm_head.weight.detach().clone()
    with pytest.raises(ValueError, match="at step 0 are no numbers; go back to the last checkpoint"):
        next(training.train(model, [torch.zeros(2, 5, dtype=torch.long)], steps=1, peak=1e-3, warmup=0))
    assert model.lm_head.weight.equal(before)


def test_one_step_is_adamw_on_the_clipped_gradient():
    model, twin = (Qwen(CONFIG, torch.Generator().manual_seed(0)) for _ in range(2))
    batch = torch.randint(0, 23, (3, 8), generator=torch.Generator().manual_seed(1))
    report = next(training.train(model, [batch], steps=1, peak=1e-2, warmup=0, clip=0.5))
    value = training.batch_loss(twin, batch)
    value.backward()
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in twin.parameters()))
    assert report.loss == pytest.approx(value.item()) and report.gradient_norm == pytest.approx(norm, rel=1e-4)
    for (name, ours), theirs in zip(model.named_parameters(), twin.parameters()):
        decay = 0.1 if ours.ndim >= 2 else 0.0
        gradient = theirs.grad * min(1.0, 0.5 / norm)
        expected = theirs * (1 - 1e-2 * decay) - 1e-2 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-4, msg=name)


def test_a_toy_language_is_learned():
    model = Qwen(CONFIG, torch.Generator().manual_seed(0))
    windows = (torch.arange(16) + torch.arange(46)[:, None]) % 23  # each token is the one before, plus one
    batches = training.shuffled_batches(windows, 16, torch.Generator().manual_seed(1))
    losses = [step.loss for step in training.train(model, batches, steps=80, peak=1e-2, warmup=5)]
    assert losses[0] == pytest.approx(math.log(23), abs=0.1)
    assert losses[-1] < 0.1
    assert training.nats(model, windows) / windows[:, 1:].numel() < 0.1


def test_a_loss_that_is_no_number_stops_the_run():
    model = Qwen(CONFIG)
    with torch.no_grad():
        model.lm_head.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="at step 0 are no numbers; go back to the last checkpoint"):
        next(training.train(model, [torch.zeros(2, 5, dtype=torch.long)], steps=1, peak=1e-3, warmup=0))
