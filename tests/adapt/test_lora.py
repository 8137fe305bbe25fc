"""Low-rank adapters. Oracles: the definition in loops, float64; `peft` on `transformers`' Qwen2 with copied weights."""

import json

import peft
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.testing import assert_close

import peer
from minqwen.adapt import adapter_files, lora
from minqwen.model import Qwen, QwenConfig, loss

SHAPE = dict(vocab_size=17, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=39, max_length=13)
EVERY = "q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj"
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny(**changes):
    return Qwen(QwenConfig(**(SHAPE | changes)), rng())


def adapted(pattern=EVERY, rank=3, alpha=5.0, **options):
    """A model whose adapters have something to say."""
    model = tiny()
    lora.add_lora(model, pattern, rank, alpha, generator=rng(1), **options)
    for layer in lora.adapters(model).values():
        nn.init.normal_(layer.b, 0.0, 0.3, generator=rng(2))
    return model


def theirs(rank=3, alpha=5.0, ours=None):
    """peft on the same base, with A and B of `ours`."""
    base = peer.build(SHAPE).eval()
    base.load_state_dict(tiny().state_dict())
    names = EVERY.split("|")
    model = peft.get_peft_model(base, peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=names))
    for name, layer in lora.adapters(ours or nn.Module()).items():
        other = model.base_model.model.get_submodule(name)
        other.lora_A["default"].weight.data.copy_(layer.a.data)
        other.lora_B["default"].weight.data.copy_(layer.b.data)
    return model


def by_loops(x, weight, a, b, scale, dropped):
    rows = []
    for token, seen in zip(x.tolist(), dropped.tolist()):
        hidden = [sum(s * w for s, w in zip(seen, row)) for row in a.tolist()]
        plain = [sum(s * w for s, w in zip(token, row)) for row in weight.tolist()]
        rows.append([y + scale * sum(h * w for h, w in zip(hidden, row)) for y, row in zip(plain, b.tolist())])
    return torch.tensor(rows, dtype=torch.float64)


def parts(dtype=torch.float64):
    x, weight, a, b = (torch.randn(*size, generator=rng(3), dtype=dtype) for size in ((5, 7), (11, 7), (3, 7), (11, 3)))
    return x, weight, a, b


def test_lora_forward_is_its_definition_in_loops():
    x, weight, a, b = parts()
    assert_close(lora.lora_forward(x, weight, a, b, 2.5), by_loops(x, weight, a, b, 2.5, x))
    dropped = x * 2 * (x > 0)
    assert_close(lora.lora_forward(x, weight, a, b, 2.5, dropped), by_loops(x, weight, a, b, 2.5, dropped))


def test_lora_forward_has_the_gradients_of_its_definition():
    given = [part.requires_grad_() for part in parts()]
    assert torch.autograd.gradcheck(lambda *args: lora.lora_forward(*args, 2.5), given)


def test_merged_weight_does_what_the_three_matrices_do():
    x, weight, a, b = parts()
    assert_close(x @ lora.merged_weight(weight, a, b, 2.5).mT, lora.lora_forward(x, weight, a, b, 2.5))


def test_merged_weight_rounds_half_types_once():
    _, weight, a, b = parts(torch.bfloat16)
    exact = (weight.double() + 2.5 * b.double() @ a.double()).to(torch.bfloat16)
    assert (lora.merged_weight(weight, a, b, 2.5) == exact).float().mean() > 0.98  # float32 may fall on the other side


def test_a_new_adapter_changes_nothing():
    before = tiny()(IDS)
    model = tiny()
    names = lora.add_lora(model, EVERY, 3, 5.0, generator=rng(1))
    assert len(names) == 14 and model(IDS).equal(before)


def test_only_a_and_b_learn_and_there_are_r_times_in_plus_out_of_them():
    model = adapted(rank=3)
    loss.next_token_loss(model(IDS[:, :-1]), IDS[:, 1:]).backward()
    learns = {name for name, p in model.named_parameters() if p.grad is not None}
    assert learns == {n for n, p in model.named_parameters() if p.requires_grad}
    assert {name.rpartition(".")[2] for name in learns} == {"a", "b"} and len(learns) == 28
    numbers = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert numbers == 2 * 3 * (4 * (28 + 28) + 3 * (28 + 39))


def test_at_first_b_alone_gets_a_gradient_that_is_not_zero():
    model = tiny()
    lora.add_lora(model, "q_proj", 3, 5.0, generator=rng(1))
    loss.next_token_loss(model(IDS[:, :-1]), IDS[:, 1:]).backward()
    layer = model.model.layers[1].self_attn.q_proj
    assert layer.a.grad.abs().max() == 0 and layer.b.grad.abs().max() > 0


def test_merging_keeps_the_logits_and_unmerging_gives_back_every_bit():
    model, plain = adapted(), tiny()
    weights = {name: p.data_ptr() for name, p in model.named_parameters()}
    before = model(IDS)
    lora.merge(model)
    assert_close(model(IDS), before, atol=1e-5, rtol=1e-5)
    assert not any(p.requires_grad for name, p in model.named_parameters() if name.endswith("weight"))
    lora.unmerge(model)
    assert model(IDS).equal(before) and {name: p.data_ptr() for name, p in model.named_parameters()} == weights
    with lora.switched_off(model):
        assert model(IDS).equal(plain(IDS))


def test_a_hundred_merges_leave_no_trace():
    model = adapted()
    before = model(IDS)
    for _ in range(100):
        lora.merge(model)
        lora.unmerge(model)
    assert model(IDS).equal(before)


def test_a_tied_embedding_is_untouched_by_a_merged_output_layer_and_tied_again_after_it():
    model = tiny(tie_embeddings=True)
    embedding = model.model.embed_tokens.weight.clone()
    lora.add_lora(model, "lm_head", 2, 4.0, generator=rng(1))
    nn.init.normal_(model.lm_head.b, generator=rng(2))
    lora.merge(model)
    assert model.model.embed_tokens.weight.equal(embedding) and not model.lm_head.base.weight.equal(embedding)
    lora.unmerge(model)
    assert model.lm_head.base.weight is model.model.embed_tokens.weight


def test_switched_off_the_model_is_the_old_one_also_after_an_error():
    model, plain = adapted(), tiny()(IDS)
    with pytest.raises(KeyboardInterrupt), lora.switched_off(model):
        assert model(IDS).equal(plain)
        raise KeyboardInterrupt
    assert not model(IDS).allclose(plain)
    with lora.switched_off(model):
        with lora.switched_off(model):
            pass
        assert model(IDS).equal(plain), "off before, and off again"


def test_dropout_reaches_the_adapter_alone_and_only_in_training():
    base = nn.Linear(7, 11)
    layer = lora.LoRALinear(base, 3, 6.0, dropout=0.5, generator=rng())
    x = torch.randn(4000, 7, generator=rng(4))
    with torch.no_grad():
        assert layer.train()(x).equal(base(x)), "B is zero, and W reads x whole"
        nn.init.normal_(layer.b, generator=rng(2))
        assert layer.eval()(x).equal(layer(x)) and not layer.train()(x).equal(layer(x))
        noise = (layer.train()(x) - layer.eval()(x)).mean(0)
        assert noise.abs().max() < 0.2, "on average dropout changes nothing"


def test_a_is_uniform_in_one_over_the_root_of_what_it_reads_and_has_the_type_of_the_layer():
    layer, again = (lora.LoRALinear(nn.Linear(400, 7), 3, 6.0, generator=rng()) for _ in range(2))
    assert 0.95 / 20 < layer.a.abs().max() <= 1 / 20 and layer.a.mean().abs() < 0.1 / 20
    assert layer.a.equal(again.a), "the generator decides"
    half = lora.LoRALinear(nn.Linear(7, 11).bfloat16(), 3, 6.0)
    assert half.a.dtype == half.b.dtype == torch.bfloat16


def test_an_adapter_on_a_model_that_is_not_in_training_is_not_either():
    model = tiny().eval()
    lora.add_lora(model, "q_proj", 3, 5.0, dropout=0.5)
    assert not any(module.training for module in model.modules())
    lora.add_lora(model.train(), "v_proj", 3, 5.0)
    assert model.model.layers[0].self_attn.v_proj.training


def test_a_bias_is_added_once():
    layer = lora.LoRALinear(nn.Linear(7, 11), 3, 6.0, generator=rng())
    nn.init.normal_(layer.b, generator=rng(2))
    x = torch.randn(5, 7)
    expected = x @ (layer.base.weight + 2.0 * layer.b @ layer.a).mT + layer.base.bias
    assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)
    layer.merge()
    assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_with_the_same_a_and_b_logits_gradients_and_a_step_are_those_of_peft():
    ours = adapted()
    peers = theirs(ours=ours)
    mine = loss.next_token_loss(ours(IDS[:, :-1]), IDS[:, 1:])
    logits = peers(input_ids=IDS[:, :-1]).logits
    assert_close(ours(IDS[:, :-1]), logits, atol=1e-5, rtol=1e-5)
    mine.backward()
    loss.next_token_loss(logits, IDS[:, 1:]).backward()
    for model in (ours, peers):
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    for name, layer in lora.adapters(ours).items():
        other = peers.base_model.model.get_submodule(name)
        for one, two in ((layer.a, other.lora_A["default"].weight), (layer.b, other.lora_B["default"].weight)):
            assert_close(one.grad, two.grad, atol=1e-6, rtol=1e-4)
            assert_close(one.data, two.data, atol=1e-6, rtol=1e-4)


def test_peft_reads_what_we_write_with_equal_logits(tmp_path):
    ours = adapted()
    adapter_files.save(ours, tmp_path)
    base = peer.build(SHAPE).eval()
    base.load_state_dict(tiny().state_dict())
    peers = peft.PeftModel.from_pretrained(base, str(tmp_path))
    assert_close(peers(input_ids=IDS).logits, ours(IDS), atol=1e-5, rtol=1e-5)
    assert not base(input_ids=IDS).logits.allclose(tiny()(IDS), atol=1e-3), "the adapter says something"


def test_we_read_what_peft_writes_with_equal_logits(tmp_path):
    peers = theirs(rank=2, alpha=7)
    for name, parameter in peers.named_parameters():
        if "lora_" in name:  # peft draws A from torch's global generator
            nn.init.normal_(parameter, 0.0, 0.3 if "lora_B" in name else 0.2, generator=rng(5))
    peers.save_pretrained(str(tmp_path))
    ours = tiny()
    assert len(adapter_files.load(ours, tmp_path)) == 14
    assert_close(ours(IDS), peers(input_ids=IDS).logits, atol=1e-5, rtol=1e-5)
    assert {n.rpartition(".")[2] for n, p in ours.named_parameters() if p.requires_grad} == {"a", "b"}


def test_ranks_may_differ_and_files_take_the_place_of_adapters_that_are_there(tmp_path):
    model = tiny()
    lora.add_lora(model, "q_proj|k_proj", 2, 6.0, generator=rng(1))
    lora.add_lora(model, "v_proj", 3, 6.0, generator=rng(1))
    for layer in lora.adapters(model).values():
        nn.init.normal_(layer.b, generator=rng(2))
    adapter_files.save(model, tmp_path)
    base = peer.build(SHAPE).eval()
    base.load_state_dict(tiny().state_dict())
    peers = peft.PeftModel.from_pretrained(base, str(tmp_path))
    assert_close(peers(input_ids=IDS).logits, model(IDS), atol=1e-5, rtol=1e-5)
    expected = model(IDS)
    for layer in lora.adapters(model).values():
        nn.init.zeros_(layer.b)
    adapter_files.load(model, tmp_path)
    assert model(IDS).equal(expected)


LAST_PARTS = "their last parts are down_proj, gate_proj, k_proj, lm_head, o_proj, q_proj, up_proj, v_proj$"


@pytest.mark.parametrize(
    ("call", "way_out"),
    [
        pytest.param(lambda m: lora.add_lora(m, "c_attn", 2, 4.0), LAST_PARTS, id="no such layer"),
        pytest.param(lambda m: lora.add_lora(m, "v_proj", 29, 4.0), "between 1 and 28", id="rank above the size"),
        pytest.param(lambda m: lora.add_lora(m, "v_proj", 0, 4.0), "between 1 and 28", id="rank zero"),
        pytest.param(lambda m: lora.add_lora(m, "v_proj", 2, 4.0, dropout=1.0), "take 0.05", id="all dropped"),
        pytest.param(lambda m: lora.add_lora(m, "v_proj", 2, float("nan")), "above 0", id="alpha is no number"),
        pytest.param(lambda m: lora.add_lora(m, "v_proj", 2, 0.0), "above 0", id="alpha zero"),
        pytest.param(lambda m: lora.add_lora(m, "v_proj", 2, float("inf")), "above 0", id="alpha infinite"),
        pytest.param(lambda m: lora.add_lora(m, "[", 2, 4.0), "put a backslash", id="no pattern"),
        pytest.param(lambda m: lora.add_lora(m, "q_proj", 2, 4.0), "narrow the pattern", id="adapted twice"),
        pytest.param(lambda m: lora.unmerge(m), "merge first", id="unmerged without merge"),
        pytest.param(lambda m: (lora.merge(m), lora.merge(m)), "unmerge first", id="merged twice"),
        pytest.param(lambda m: (lora.merge(m), lora.switched_off(m).__enter__()), "unmerge first", id="merged, off"),
        pytest.param(lambda m: lora.merge(tiny()), "call add_lora first", id="no adapter"),
        pytest.param(lambda m: adapter_files.save(tiny(), "x"), "these have none", id="nothing to save"),
    ],
)
def test_bad_calls_are_refused_with_the_way_out(call, way_out):
    model = tiny()
    lora.add_lora(model, "q_proj", 2, 4.0)
    with pytest.raises(ValueError, match=way_out):
        call(model)


def test_what_is_refused_leaves_the_model_as_it_was():
    model = tiny(n_kv_heads=1)
    with pytest.raises(ValueError, match="between 1 and 14"):  # fits q_proj, which comes first, and not k_proj
        lora.add_lora(model, "proj", 20, 4.0)
    assert not lora.adapters(model) and all(p.requires_grad for p in model.parameters())


def test_an_adapter_that_fits_the_first_layer_alone_leaves_the_model_as_it_was(tmp_path):
    adapter_files.save(adapted("layers.0.*q_proj|layers.1.*up_proj"), tmp_path)
    other = tiny(d_ff=40)
    with pytest.raises(ValueError, match="layer's weight is"):
        adapter_files.load(other, tmp_path)
    assert not lora.adapters(other) and all(p.requires_grad for p in other.parameters())


def test_a_merge_that_fails_half_way_is_undone():
    model = adapted()
    with torch.no_grad():
        lora.adapters(model)["model.layers.1.mlp.up_proj"].b[0, 0] = float("nan")
    with pytest.raises(ValueError, match="earlier adapter"):
        lora.merge(model)
    assert not any(layer.unmerged for layer in lora.adapters(model).values())
    with torch.no_grad():
        lora.adapters(model)["model.layers.1.mlp.up_proj"].b[0, 0] = 0.0
    lora.merge(model)
    last = lora.adapters(model)["model.layers.1.mlp.down_proj"]
    last.unmerge()
    with pytest.raises(ValueError, match="merge first"):
        lora.unmerge(model)
    with pytest.raises(ValueError, match="unmerge first"), lora.switched_off(model):
        pass
    assert sum(bool(layer.unmerged) for layer in lora.adapters(model).values()) == len(lora.adapters(model)) - 1


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_neither_merged_nor_saved_nor_loaded(tmp_path, broken):
    model = adapted()
    adapter_files.save(model, tmp_path / "good")
    with torch.no_grad():
        lora.adapters(model)["model.layers.1.mlp.up_proj"].b[0, 0] = broken
    with pytest.raises(ValueError, match="earlier adapter"):
        lora.merge(model)
    with pytest.raises(ValueError, match="nothing was saved"):
        adapter_files.save(model, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()
    tensors = load_file(tmp_path / "good" / "adapter_model.safetensors")
    next(iter(tensors.values()))[0, 0] = broken
    save_file(tensors, tmp_path / "good" / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="NaN or infinity; copy the file again"):
        adapter_files.load(tiny(), tmp_path / "good")


def test_an_adapter_for_another_base_is_refused_with_both_shapes(tmp_path):
    adapter_files.save(adapted(), tmp_path)
    wider = tiny(d_model=42, n_heads=3, n_kv_heads=3)
    with pytest.raises(
        ValueError, match=r"A \(3, 39\) and B \(28, 3\) in the file, but the layer's weight is \(42, 39\)"
    ):
        adapter_files.load(wider, tmp_path)
    assert not lora.adapters(wider)
    with pytest.raises(ValueError, match=r"adapts model.layers.1.*take its own base"):
        adapter_files.load(tiny(n_layers=1), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"use_dora": True},
        {"use_rslora": True},
        {"lora_bias": True},
        {"fan_in_fan_out": True},
        {"modules_to_save": ["lm_head"]},
        {"bias": "all"},
        {"alpha_pattern": {"q": 3}},
        {"peft_type": "IA3"},
    ],
    ids=str,
)
def test_an_adapter_that_is_more_than_a_and_b_is_refused(tmp_path, change):
    adapter_files.save(adapted(), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | change))
    with pytest.raises(ValueError, match="merge it with peft"):
        adapter_files.load(tiny(), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"lora_alpha": None},
        {"lora_alpha": float("nan")},
        {"lora_alpha": float("inf")},
        {"lora_alpha": -1},
        {"lora_dropout": 7},
        {"lora_dropout": "a"},
    ],
    ids=str,
)
def test_settings_that_are_no_numbers_are_refused(tmp_path, change):
    adapter_files.save(adapted(), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | change))
    for model in (tiny(), adapted()):
        with pytest.raises(ValueError, match="alpha must be a number above 0, dropout one from 0 to below 1"):
            adapter_files.load(model, tmp_path)


def test_a_list_is_no_config(tmp_path):
    adapter_files.save(adapted(), tmp_path)
    for text, words in (("[]", "no JSON object"), ("{", "copy both files again"), ("{}", "no plain LoRA")):
        (tmp_path / "adapter_config.json").write_text(text)
        with pytest.raises(ValueError, match=words):
            adapter_files.load(tiny(), tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(ValueError, match="no plain LoRA"):
        adapter_files.load(tiny(), tmp_path)


def test_what_a_config_need_not_say_may_be_absent_or_empty(tmp_path):
    adapter_files.save(model := adapted(), tmp_path)
    empty = {"peft_type": "LORA", "lora_alpha": 5, "modules_to_save": [], "alpha_pattern": {}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(empty))
    adapter_files.load(other := tiny(), tmp_path)
    assert other(IDS).equal(model(IDS))
    assert {layer.dropout for layer in lora.adapters(other).values()} == {0.0}


def test_a_file_goes_into_a_new_folder_and_says_whose_tensors_it_holds(tmp_path):
    adapter_files.save(adapted(), tmp_path / "a" / "b")
    with safe_open(tmp_path / "a" / "b" / "adapter_model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_loaded_settings_and_types_are_those_of_the_file_and_of_the_model(tmp_path):
    adapter_files.save(model := adapted(alpha=5.0, dropout=0.25), tmp_path)
    other = tiny()
    lora.add_lora(other, EVERY, 2, 1.0)
    adapter_files.load(other, tmp_path)
    assert other.eval()(IDS).equal(model.eval()(IDS))
    assert {(x.rank, x.alpha, x.dropout) for x in lora.adapters(other).values()} == {(3, 5.0, 0.25)}
    adapter_files.load(half := tiny().bfloat16(), tmp_path)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


def test_a_file_that_does_not_fit_the_adapters_that_are_there_is_refused(tmp_path):
    adapter_files.save(adapted("q_proj"), tmp_path)
    with pytest.raises(ValueError, match="load into a fresh model"):
        adapter_files.load(adapted("k_proj"), tmp_path)
    lora.merge(model := adapted("q_proj"))
    with pytest.raises(ValueError, match="unmerge first"):
        adapter_files.load(model, tmp_path)


def renamed(old, new):
    return lambda tensors: {key.replace(old, new): tensor for key, tensor in tensors.items()}


def cut(tensors):
    return {key: tensor[:, :2].contiguous() if "lora_B" in key else tensor for key, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(renamed("base_model.model.", "other."), "no LoRA of a linear layer", id="another prefix"),
        pytest.param(renamed("lora_B", "lora_C"), "no LoRA of a linear layer", id="another part"),
        pytest.param(renamed("self_attn.q_proj", "input_layernorm"), "no such linear layer", id="a norm"),
        pytest.param(cut, "made for another base", id="two ranks"),
        pytest.param(lambda tensors: {}, "no plain LoRA", id="nothing"),
    ],
)
def test_tensors_that_are_no_adapter_of_this_model_are_refused(tmp_path, change, words):
    adapter_files.save(adapted("q_proj"), tmp_path)
    save_file(change(load_file(tmp_path / "adapter_model.safetensors")), tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match=words):
        adapter_files.load(tiny(), tmp_path)


def test_files_that_are_absent_or_cut_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lacks adapter_config.json, adapter_model.safetensors"):
        adapter_files.load(tiny(), tmp_path)
    adapter_files.save(adapted(), tmp_path)
    (tmp_path / "adapter_config.json").rename(tmp_path / "aside")
    with pytest.raises(FileNotFoundError, match=r"lacks adapter_config.json; a LoRA"):
        adapter_files.load(tiny(), tmp_path)
    (tmp_path / "aside").rename(tmp_path / "adapter_config.json")
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match="copy both files again"):
        adapter_files.load(tiny(), tmp_path)


def test_an_adapter_half_of_which_is_lost_is_refused(tmp_path):
    adapter_files.save(adapted(), tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    tensors.pop(next(iter(tensors)))
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="alone; an adapter has A and B"):
        adapter_files.load(tiny(), tmp_path)
