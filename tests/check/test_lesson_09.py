"""Lesson 09: answers in other words, and models that run on them. Oracles: whole numbers, transformers, the model."""

import contextlib
import io
import math

import pytest
import torch
from torch.testing import assert_close
from transformers.masking_utils import sliding_window_causal_mask_function

from minqwen.check import EXERCISES, check, using
from minqwen.model import LongContext, Qwen, QwenConfig, long_context, rope


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].solution}", cells)
    return cells


def alpha_in_whole_numbers(length, trained_length):
    return 2 ** (1 + (-(-length // trained_length) - 1).bit_length()) - 1


def window_by_triangles(T, S, window):
    everything = torch.ones(T, S, dtype=torch.bool)
    return everything.tril(S - T) & everything.triu(S - T - window + 1)


def window_of_transformers(T, S, window):
    sees = sliding_window_causal_mask_function(window)
    return sees(0, 0, torch.arange(S - T, S)[:, None], torch.arange(S)[None])


OTHER_WORDS = {
    "alpha in whole numbers": ("ntk_alpha", alpha_in_whole_numbers),
    "the base by exponentials": (
        "ntk_base",
        lambda base, alpha, d_head: base * math.exp(math.log(alpha) * d_head / (d_head - 2)),
    ),
    "LogN by where": (
        "logn_scale",
        lambda positions, L: torch.where(positions < L, 1.0, torch.log(positions + 1.0) / math.log(L)),
    ),
    "the window by triangles": ("window_mask", window_by_triangles),
    "the window of transformers": ("window_mask", window_of_transformers),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
@torch.no_grad()
def test_a_model_past_its_length_runs_on_the_answer(name, answer):
    config = QwenConfig(17, d_model=24, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=13, max_length=8)
    settings = LongContext("ntk", logn=True, windows=(12, 24))
    model = Qwen(config, torch.Generator().manual_seed(0), settings)
    ids = torch.arange(40)[None] % 17
    before, called = model(ids), []

    def counting(*args, **kwargs):
        called.append(name)
        return answer(*args, **kwargs)

    counting.__name__ = name
    with using(counting):
        assert_close(model(ids), before)
    assert len(called) == 2, "once for each window"


def test_the_statement_of_the_slowest_pair_is_true_of_the_library():
    base = long_context.ntk_base(10_000.0, long_context.ntk_alpha(8192, 2048), 128)
    before, now = (rope.rope_angles(torch.ones(1).double(), 128, b)[0, -1] for b in (10_000.0, base))
    assert EXERCISES["09_slowed"].answer == pytest.approx((before / now).item())


def test_a_mended_cache_makes_each_table_once(monkeypatch):
    fixed, made, library = solved("09_cached_angles")["fixed"], [], rope.rope_angles

    def counting(positions, d_head, base):
        made.append((len(positions), base))
        return library(positions, d_head, base)

    monkeypatch.setattr(rope, "rope_angles", counting)
    fixed(torch.tensor([9, 9, 5, 9]), torch.tensor([100.0, 10.0, 100.0, 100.0]))
    assert made == [(9, 100.0), (9, 10.0), (5, 100.0)]


@torch.no_grad()
def test_the_mended_logn_is_what_the_model_does():
    fixed, L = solved("09_logn_on_keys")["fixed"], 5
    q, k = torch.randn(2, 11, 14, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = long_context.logn_scale(torch.arange(11).double(), L)
    assert_close(fixed(q, k, L), (q * scale[:, None]) @ k.mT / 14**0.5, atol=1e-6, rtol=0)
