"""The block's ablations. Oracles: the baseline's weights, parameter counts by hand, the block of 2017 by formula."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

import ablations
from minqwen.data import corpus
from minqwen.model import Qwen, training

RECIPE = {**ablations.RECIPE, "d_model": 48, "n_layers": 2, "d_ff": 128, "max_length": 8, "batch_size": 2}
RECIPE |= {"steps": 4, "warmup": 1, "evaluate_every": 2, "windows": 8}
C, V, LAYERS = 48, 4096, 2
others = pytest.mark.parametrize("variant", [name for name in ablations.VARIANTS if name != "Qwen"])


@pytest.fixture
def texts(monkeypatch):
    few = {"train": corpus.load("held_out", "zh")[:20], "held_out": corpus.load("held_out")}
    few["held_out"] = few["held_out"][:2] + few["held_out"][-20:]
    monkeypatch.setattr(
        corpus, "load", lambda split, language=None: [d for d in few[split] if language in (None, d.language)]
    )
    return ablations.texts(RECIPE)


@pytest.mark.parametrize(
    ("variant", "more"),
    [
        pytest.param("LayerNorm", (2 * LAYERS + 1) * C, id="LayerNorm: a bias a norm"),
        pytest.param("ReLU", 0, id="ReLU: 2 · 4C · C is 3 · 8/3 C · C"),
        pytest.param("no QKV bias", -LAYERS * 3 * C, id="no QKV bias: three vectors a layer fewer"),
        pytest.param("tied", -V * C, id="tied: one matrix fewer"),
        pytest.param("norm after", 0, id="norm after: the same parts"),
    ],
)
def test_a_variant_has_the_parameters_that_it_says(variant, more):
    counts = [sum(p.numel() for p in ablations.build(name, RECIPE, 0).parameters()) for name in ("Qwen", variant)]
    assert counts[1] - counts[0] == more


@others
def test_what_a_variant_does_not_change_starts_as_in_its_pair(variant):
    pair = dict(ablations.build("Qwen", RECIPE, 3).named_parameters())
    mine = dict(ablations.build(variant, RECIPE, 3).named_parameters())
    # A fresh norm and a zero bias are equal however they are drawn, so the matrices decide.
    matrices = {name for name in mine if name in pair and mine[name].ndim == 2}
    assert len(matrices) >= 4 * LAYERS + 1 and all(pair[name].equal(mine[name]) for name in matrices)


@others
def test_a_variant_computes_something_else(variant):
    models = [ablations.build(name, RECIPE, 0) for name in ("Qwen", variant)]
    with torch.no_grad():
        for model in models:  # biases begin at 0 and norms at 1, where some variants agree
            draw = torch.Generator().manual_seed(1)
            for p in model.parameters():
                p += torch.randn(p.shape, generator=draw) * 0.1 if p.ndim == 1 else 0
        ids = torch.arange(10, 15)[None]
        assert not models[0](ids).allclose(models[1](ids), atol=1e-3)


def test_norm_after_is_the_block_of_2017():
    model = ablations.build("norm after", RECIPE, 0)
    block, x = model.model.layers[0], torch.randn(1, 5, C, generator=torch.Generator().manual_seed(0))
    context, seen = _context(model, 5), []
    block.self_attn.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    with torch.no_grad():
        out = block(x, *context)
    [(read, attended)] = seen
    middle = F.rms_norm(x + attended, (C,), eps=1e-6)
    assert read.equal(x), "attention reads the stream as it is"
    assert_close(out, F.rms_norm(middle + block.mlp(middle), (C,), eps=1e-6), atol=1e-5, rtol=0)


def _context(model, length):
    """What the model gives its blocks besides x."""
    seen = []
    hook = model.model.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1:]))
    model(torch.arange(length)[None])
    hook.remove()
    return seen[0]


def test_layer_norm_stands_for_every_norm_and_a_relu_between_two_matrices():
    names = {name: type(module).__name__ for name, module in ablations.build("LayerNorm", RECIPE, 0).named_modules()}
    assert [kind for name, kind in names.items() if name.endswith("norm")] == ["LayerNorm"] * (2 * LAYERS + 1)
    mlp = ablations.build("ReLU", RECIPE, 0).model.layers[0].mlp
    assert [tuple(p.shape) for p in mlp.parameters()] == [(4 * C, C), (C, 4 * C)]
    assert mlp[1](torch.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]


def test_a_run_is_measured_at_every_evaluation_and_on_longer_texts_at_the_end(texts):
    first, last = ablations.measure("Qwen", RECIPE, 0, texts)
    assert (first["step"], last["step"]) == (2, 4) and "longer" not in first
    assert last["longer"].keys() == {"16", "32"} and last["longer"]["32"].keys() == {"en", "zh"}
    assert first["loss"] == pytest.approx(torch.log(torch.tensor(4096.0)).item(), abs=0.3)
    assert last["bits_per_byte"]["zh"] < first["bits_per_byte"]["zh"], "four steps on twenty poems teach a little"


def test_a_seed_decides_the_order_of_the_texts_and_no_variant_does(texts, monkeypatch):
    read = {}

    def remember(model, batches, *rest, **fast):
        read[len(read)] = next(batches)
        return iter(())

    monkeypatch.setattr(training, "train", remember)
    for variant, seed in [("Qwen", 0), ("ReLU", 0), ("tied", 1)]:
        with pytest.raises(IndexError):  # nothing was trained, so there is no last record
            ablations.measure(variant, RECIPE, seed, texts)
    assert read[0].equal(read[1]) and not read[0].equal(read[2])


def test_the_models_are_a_quarter_of_the_tiny_qwen():
    assert isinstance(model := ablations.build("Qwen", ablations.RECIPE, 0), Qwen)
    assert model.config.n_parameters == sum(p.numel() for p in model.parameters()) == 1_230_816
