"""Lesson 08: what the statements claim, and answers in other words. Oracles: torch, the library's own loop."""

import contextlib
import io
import itertools
import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.check import EXERCISES, check, using
from minqwen.model import Qwen, QwenConfig, training


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].solution}", cells)
    return cells


def by_logsumexp(logits, targets, mask=None):
    nll = logits.logsumexp(-1) - logits.gather(-1, targets.unsqueeze(-1))[..., 0]
    mask = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
    return nll[mask].sum() / max(int(mask.sum()), 1)


def by_halving(step, warmup, total, peak, floor_share=0.1):
    if warmup and step < warmup:
        return peak * (step + 1) / warmup
    x = max(0.0, min(1.0, (step - warmup) / (total - warmup)))
    return peak * (1 - (1 - floor_share) * math.sin(math.pi * x / 2) ** 2)


def by_unfolding(documents, separator, length):
    row = torch.tensor(list(itertools.chain.from_iterable([separator, *d] for d in documents)))
    return row.unfold(0, length, length).clone()


OTHER_WORDS = {
    "the loss by logsumexp": ("next_token_loss", by_logsumexp),
    "the schedule by sin²": ("cosine_schedule", by_halving),
    "windows by unfold": ("pack", by_unfolding),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


def test_torchs_own_cross_entropy_is_no_answer():
    def answer(logits, targets, mask=None):
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    assert "write it yourself" in check(answer, "next_token_loss").report


def test_a_run_goes_by_the_learners_loss_and_schedule():
    model = Qwen(QwenConfig(vocab_size=17, d_model=14, n_layers=1, n_heads=1, n_kv_heads=1, d_ff=13, max_length=11))
    batch = torch.randint(0, 17, (3, 7), generator=torch.Generator().manual_seed(0))

    def cosine_schedule(step, warmup, total, peak, floor_share=0.1):
        return 0.25

    def next_token_loss(logits, targets, mask=None):
        return 2 * by_logsumexp(logits, targets, mask)

    before = training.batch_loss(model, batch).item()
    with using(cosine_schedule), using(next_token_loss):
        [step] = training.train(model, [batch], steps=1, peak=1.0, warmup=0)
    assert step.learning_rate == 0.25 and step.loss == pytest.approx(2 * before)


def test_the_mended_loss_is_that_of_the_loop():
    fixed = solved("08_label_shift")["fixed"]
    model = Qwen(QwenConfig(vocab_size=17, d_model=14, n_layers=1, n_heads=1, n_kv_heads=1, d_ff=13, max_length=11))
    batch = torch.randint(0, 17, (3, 7), generator=torch.Generator().manual_seed(0))
    assert_close(fixed(model(batch), batch), training.batch_loss(model, batch))


def test_the_mended_run_is_torchs_momentum():
    fixed, gradients = solved("08_resume")["fixed"], torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    weight = torch.nn.Parameter(torch.zeros(5))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    assert_close(fixed(torch.zeros(5), gradients, stop=4), weight.detach())


def test_the_numbers_are_those_of_the_report():
    assert EXERCISES["08_flops"].answer == pytest.approx(6 * 7.72e9 * 2.4e12 / 1e23, rel=1e-3)
    assert EXERCISES["08_bits_per_byte"].answer == pytest.approx(1.683, abs=1e-3)
