"""Lesson 04: what the statements claim, and answers in other words. Oracles: whole numbers, torch, the model itself."""

import contextlib
import io
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.check import EXERCISES, check, using
from minqwen.model import Qwen, QwenConfig, mlp, names


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].solution}", cells)
    return cells


def expand(x, groups):
    *batch, heads, S, D = x.shape
    return x[..., None, :, :].expand(*batch, heads, groups, S, D).reshape(*batch, heads * groups, S, D)


def rms_norm_in_float32(x, weight, eps=1e-6):
    wide = x.float()
    return (wide / torch.sqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype) * weight


def rms_norm_weighted_before_it_is_narrowed(x, weight, eps=1e-6):
    size = x.float().norm(dim=-1, keepdim=True) ** 2 / x.shape[-1]
    return (x.float() / (size + eps) ** 0.5 * weight.float()).type_as(x)


OTHER_WORDS = {
    "the norm in float32": ("rms_norm", rms_norm_in_float32),
    "the norm, weighted first": ("rms_norm", rms_norm_weighted_before_it_is_narrowed),
    "the bend by its formula": ("swiglu", lambda gate, up: gate / (1 + torch.exp(-gate)) * up),
    "the bend by a sigmoid": ("swiglu", lambda gate, up: up * (gate * torch.sigmoid(gate))),
    "the width by ceil": ("ffn_width", lambda d_model: math.ceil(d_model * 8 / 3 * 2 / 256) * 256 // 2),
    "the width in whole numbers": ("ffn_width", lambda d_model: (16 * d_model + 767) // 768 * 128),
    "heads by expand": ("repeat_kv", expand),
    "heads by index": ("repeat_kv", lambda x, n: x[..., torch.arange(n * x.shape[-3]) // n, :, :]),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


TWINS = {
    "the functional": lambda x, weight, eps=1e-6: F.rms_norm(x, weight.shape, weight, eps),
    "the builtin": lambda x, weight, eps=1e-6: torch.rms_norm(x, weight.shape, weight, eps),
    "the module": lambda x, weight, eps=1e-6: nn.RMSNorm(len(weight), eps, dtype=x.dtype)(x) * weight,
}


@pytest.mark.parametrize("answer", TWINS.values(), ids=TWINS)
def test_torchs_own_norm_is_no_answer(answer):
    assert "write it yourself: torch's rms_norm does what this exercise asks for" in check(answer, "rms_norm").report


def test_the_rule_of_the_widths_does_not_hang_on_how_a_third_is_rounded():
    assert all(mlp.ffn_width(d_model) == -(-16 * d_model // 768) * 128 for d_model in range(1, 20_000))


def test_a_wrong_width_is_told_beside_the_right_one():
    assert (
        "  d_model   4096\n  expected  11008\n  yours     4096\n"
        in check(lambda d_model: 4096, "ffn_width", seed=1).report
    )


@pytest.mark.parametrize("name", ["rms_norm", "swiglu", "repeat_kv"])
def test_a_qwen_with_grouped_heads_runs_on_the_solution(name):
    sizes = {"n_layers": 2, "n_heads": 6, "n_kv_heads": 2, "d_ff": 13, "max_length": 11}
    with torch.random.fork_rng():
        model = Qwen(QwenConfig(vocab_size=17, d_model=24, **sizes))
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    before, called, answers = model(ids), [], dict(OTHER_WORDS.values())

    def counting(*args, **kwargs):
        called.append(name)
        return answers[name](*args, **kwargs)

    counting.__name__ = name
    with using(counting):
        assert_close(model(ids), before)
    assert len(called) == {"rms_norm": 5, "swiglu": 2, "repeat_kv": 4}[name]


def test_the_mended_mlp_is_what_the_library_loads_from_the_first_qwen():
    fixed = solved("04_gate_and_up")["fixed"]
    w1, w2, c_proj = torch.randn(7, 5), torch.randn(7, 5), torch.randn(5, 7)
    file = {"mlp.w1.weight": w1, "mlp.w2.weight": w2, "mlp.c_proj.weight": c_proj}
    layer = mlp.MLP(d_model=5, d_ff=7)
    layer.load_state_dict({k.removeprefix("mlp."): w for k, w in names.weights_from_first_qwen(file).items()})
    x = torch.randn(3, 5)
    assert_close(fixed(x, w1, w2, c_proj), layer(x))


def test_under_32_layers_with_a_norm_in_the_stream_next_to_nothing_of_x_is_left():
    rng, cells = torch.Generator().manual_seed(0), solved("04_norm_after_residual")
    L, T, C = 32, 61, 67
    x, layers = torch.randn(T, C, generator=rng), torch.randn(L, C, C, generator=rng) / C**0.5

    def left(function):
        return ((function(x, torch.ones(L, C), layers) * x).sum() / x.square().sum()).item()

    assert -0.05 < left(cells["broken"]) < 0.05 and left(cells["fixed"]) > 0.8


def test_untying_costs_one_matrix_of_vocabulary_times_width():
    sizes = {"n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "d_ff": 13, "max_length": 11}
    tied, untied = (
        sum(p.numel() for p in Qwen(QwenConfig(vocab_size=17, d_model=14, tie_embeddings=tie, **sizes)).parameters())
        for tie in (True, False)
    )
    assert untied - tied == 17 * 14 and EXERCISES["04_untying"].answer == 151_936 * 4_096 / 1e6
