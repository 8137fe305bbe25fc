"""Lesson 03: what the statements say by example, torch as a second oracle, and answers in other words."""

import contextlib
import io

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.check import EXERCISES, check, trials, using
from minqwen.model import mlp, norm, transformer


def quietly(answer, **more):
    with contextlib.redirect_stdout(io.StringIO()):
        return check(answer, **more)


def feed_forward_by_linear(x, w1, b1, w2, b2):
    return F.linear(torch.clamp(F.linear(x, w1, b1), min=0), w2, b2)


def layer_norm_by_var(x, weight, bias, eps=1e-5):
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean, var = wide.mean(-1, keepdim=True), wide.var(-1, correction=0, keepdim=True)
    return ((wide - mean) / (var + eps).sqrt()).to(x.dtype) * weight + bias


def target_mask_by_positions(is_token):
    places = torch.arange(is_token.shape[1])
    return (places[None, :] <= places[:, None])[None, None] & is_token[:, None, None]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("feed_forward", feed_forward_by_linear),
        ("layer_norm", layer_norm_by_var),
        ("target_mask", target_mask_by_positions),
    ],
)
def test_an_answer_in_other_words_passes(name, answer, monkeypatch):
    monkeypatch.setattr(answer, "__name__", name)
    assert quietly(answer)


def test_the_examples_of_the_statements():
    one = [torch.tensor([[2.0]]), torch.tensor([-3.0]), torch.tensor([[10.0]]), torch.tensor([1.0])]
    assert mlp.feed_forward(torch.tensor([[2.0], [1.0]]), *one).flatten().tolist() == [11.0, 1.0]
    out = norm.layer_norm(torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2))
    assert_close(out, torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)
    mask = transformer.target_mask(torch.tensor([[True, True, False]]))
    assert mask.int().tolist() == [[[[1, 0, 0], [1, 1, 0], [1, 1, 0]]]]


def test_layer_norm_equals_torch_on_the_exercises_own_cases():
    for case in trials.cases("layer_norm"):
        if case.read is None and not case.gradients:
            x, weight, bias = (case.args[name].double() for name in ("x", "weight", "bias"))
            expected = F.layer_norm(x, x.shape[-1:], weight, bias, case.args.get("eps", 1e-5))
            tolerance = {torch.float16: 1e-2, torch.bfloat16: 5e-2}.get(case.args["x"].dtype, 1e-4)
            assert_close(case.expected.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("twin", [F.layer_norm, torch.layer_norm])
def test_torchs_layer_norm_refuses_while_yours_is_checked(twin, capsys):
    def layer_norm(x, weight, bias, eps=1e-5):
        return F.layer_norm(x, x.shape[-1:], weight, bias, eps)

    def layer_norm_by_torch(x, weight, bias, eps=1e-5):
        return torch.layer_norm(x, x.shape[-1:], weight, bias, eps)

    layer_norm_by_torch.__name__ = "layer_norm"
    assert not check(layer_norm if twin is F.layer_norm else layer_norm_by_torch)
    assert "write it yourself" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["feed_forward", "layer_norm", "target_mask"])
def test_the_whole_model_runs_on_a_learners_function(name):
    config = transformer.TransformerConfig(17, 22, 1, 2, 13)
    model, called = transformer.Transformer(config, torch.Generator().manual_seed(0)), []
    ids, whole = torch.tensor([[3, 4, 5]]), torch.ones(1, 3, dtype=torch.bool)
    library = EXERCISES[name].library

    def answer(*args):
        called.append(name)
        return library(*args)

    answer.__name__ = name
    expected = model(ids, ids, whole, whole)
    with using(answer):
        assert model(ids, ids, whole, whole).equal(expected)
    assert called


def test_the_base_model_is_counted_by_torch():
    base = torch.nn.Transformer(512, 8, 6, 6, 2048, device="meta")
    matrices = sum(p.numel() for p in base.parameters() if p.ndim == 2)
    assert EXERCISES["03_base_model"].answer == pytest.approx(matrices / 1e6)
