"""Adapters by name. Oracles: a fresh model with only the one adapter, bit for bit; `peft`'s set_adapter."""

import peft
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import peer
from minqwen.adapt import adapter_files, lora, qlora, switching
from minqwen.model import Qwen, QwenConfig, loss

SHAPE = dict(vocab_size=17, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=39, max_length=13)
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])
ALONE = {"pirate": ("q_proj|k_proj|v_proj", 3, 5.0), "poet": ("v_proj|up_proj", 2, 7.0)}  # v_proj has both


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny(**changes):
    return Qwen(QwenConfig(**(SHAPE | changes)), rng())


def alone(name, add=lora.add_lora):
    """A model that has never had another adapter."""
    model, seed = tiny(), 1 + list(ALONE).index(name)
    add(model, *ALONE[name], generator=rng(seed))
    for layer in lora.adapters(model).values():
        nn.init.normal_(layer.b, 0.0, 0.3, generator=rng(seed + 10))
    return model


@pytest.fixture
def folders(tmp_path):
    for name in ALONE:
        adapter_files.save(alone(name), tmp_path / name)
    return tmp_path


@pytest.fixture
def switch(folders):
    found = switching.Switch(tiny())
    for name in ALONE:
        found.load(name, folders / name)
    return found


def test_after_every_switch_the_model_is_one_with_only_that_adapter(switch):
    plain = tiny()
    for name in ("pirate", "poet", None, "poet", "pirate", "pirate", None):
        switch.to(name)
        expected = plain if name is None else alone(name)
        assert switch.on == name and switch.model(IDS).equal(expected(IDS))
        ours, theirs = switch.model.state_dict(), expected.state_dict()
        assert ours.keys() == theirs.keys() and all(ours[key].equal(theirs[key]) for key in ours)
        learns = {key for key, p in switch.model.named_parameters() if p.requires_grad}
        assert learns == {key for key in ours if key.endswith((".a", ".b"))}


def test_the_base_is_there_once(switch):
    switch.to(None)
    weights = {name: p.data_ptr() for name, p in switch.model.named_parameters()}
    for name, (_, rank, _) in ALONE.items():
        switch.to(name)
        layers = lora.adapters(switch.model)
        assert {key.replace(".base", ""): p.data_ptr() for key, p in switch.model.named_parameters()}.items() >= (
            weights.items()
        )
        more = sum(p.numel() for p in switch.model.parameters()) - sum(p.numel() for p in tiny().parameters())
        assert more == sum(rank * (a.base.in_features + a.base.out_features) for a in layers.values())


def test_logits_are_those_of_peft_after_set_adapter(switch, folders):
    base = peer.build(SHAPE).eval()
    base.load_state_dict(tiny().state_dict())
    peers = peft.PeftModel.from_pretrained(base, str(folders / "pirate"), adapter_name="pirate")
    peers.load_adapter(str(folders / "poet"), adapter_name="poet")
    said = []
    for name in ("pirate", "poet", "pirate"):
        peers.set_adapter(name)
        switch.to(name)
        said.append(peers(input_ids=IDS).logits)
        assert_close(switch.model(IDS), said[-1], atol=1e-5, rtol=1e-5)
    assert not said[0].allclose(said[1], atol=1e-2), "two that differ"


def test_one_learns_and_the_other_stays_as_it_was(switch):
    switch.to("poet")
    before = switch.model(IDS).detach()
    switch.to("pirate")
    learning = torch.optim.SGD([p for p in switch.model.parameters() if p.requires_grad], lr=0.1)
    loss.next_token_loss(switch.model(IDS[:, :-1]), IDS[:, 1:]).backward()
    learning.step()
    assert not switch.model(IDS).allclose(alone("pirate")(IDS))
    switch.to("poet")
    assert switch.model(IDS).equal(before)


def test_merge_unmerge_save_and_off_mean_the_one_that_is_on(switch, tmp_path):
    for name in ALONE:
        switch.to(name)
        other = alone(name)
        lora.merge(switch.model), lora.merge(other)
        assert switch.model(IDS).equal(other(IDS)) and switch.on == name
        with pytest.raises(ValueError, match="unmerge first"):
            switch.to(None)
        lora.unmerge(switch.model), lora.unmerge(other)
        assert switch.model(IDS).equal(other(IDS))
        with lora.switched_off(switch.model):
            assert switch.model(IDS).equal(tiny()(IDS))
        adapter_files.save(switch.model, tmp_path / "again")
        again = tiny()
        adapter_files.load(again, tmp_path / "again")
        assert again(IDS).equal(other(IDS))


def test_an_adapter_that_was_learned_here_can_be_kept_beside_one_of_a_file(folders):
    model = alone("poet")
    switch = switching.Switch(model)
    with pytest.raises(ValueError, match=r"keep\(name\) it first"):
        switch.load("pirate", folders / "pirate")
    switch.keep("poet")
    switch.load("pirate", folders / "pirate")
    assert model(IDS).equal(alone("pirate")(IDS))
    switch.to("poet")
    assert model(IDS).equal(alone("poet")(IDS))


def test_four_bits_are_neither_lost_nor_rounded_again(folders):
    model = alone("pirate", qlora.add_qlora)
    for name in lora.matching(model, r"layers.*(o_proj|mlp).*"):
        model.set_submodule(name, qlora.NF4Linear(model.get_submodule(name)))
    expected = model(IDS)
    switch = switching.Switch(model)
    switch.keep("pirate")
    switch.load("poet", folders / "poet")
    worn = lora.adapters(model)
    assert len(worn) == 4 and all(isinstance(layer, qlora.QLoRALinear) for layer in worn.values())
    assert not model(IDS).allclose(expected)
    switch.to("pirate")
    assert model(IDS).equal(expected)
    bits = [m for m in model.modules() if isinstance(m, qlora.NF4Linear)]
    assert len(bits) == 14, "every layer is in four bits"


def test_tied_embeddings_are_tied_again():
    model = tiny(tie_embeddings=True)
    lora.add_lora(model, "lm_head", 2, 4.0, generator=rng(1))
    layers = switching.take_off(model)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    lora.attach(model, layers)
    assert model.lm_head.base.weight is model.model.embed_tokens.weight


def test_the_mode_is_that_of_the_model(switch):
    switch.model.train()
    switch.to("pirate")
    assert all(layer.training for layer in lora.adapters(switch.model).values())


@pytest.mark.parametrize(
    ("call", "way_out"),
    [
        pytest.param(lambda s: s.to("cook"), "no adapter is called 'cook'; there are pirate, poet", id="unknown"),
        pytest.param(lambda s: switching.Switch(tiny()).to("cook"), "none, so load one", id="none there"),
        pytest.param(lambda s: switching.Switch(tiny()).keep("cook"), "call add_lora first", id="nothing to keep"),
        pytest.param(lambda s: s.keep("poet"), r"not among \['pirate', 'poet'\]", id="kept under a taken name"),
        pytest.param(lambda s: s.keep("cook"), "kept as 'poet' already", id="kept twice"),
        pytest.param(lambda s: s.load("poet", "x"), "name of another adapter", id="loaded under a taken name"),
        pytest.param(lambda s: (lora.merge(s.model), s.to("pirate")), "unmerge first", id="merged"),
        pytest.param(lambda s: (lora.merge(s.model), switching.take_off(s.model)), "unmerge first", id="merged, off"),
    ],
)
def test_bad_calls_are_refused_with_the_way_out_and_nothing_is_switched(switch, call, way_out):
    before = dict(lora.adapters(switch.model))
    with pytest.raises(ValueError, match=way_out):
        call(switch)
    assert lora.adapters(switch.model) == before and list(switch.kept) == ["pirate", "poet"]


def test_a_folder_that_cannot_be_read_leaves_the_adapter_on(switch, tmp_path):
    before = switch.model(IDS)
    with pytest.raises(FileNotFoundError, match="both files"):
        switch.load("cook", tmp_path)
    assert switch.on == "poet" and switch.model(IDS).equal(before)
    fresh = switching.Switch(tiny())
    with pytest.raises(FileNotFoundError, match="both files"):
        fresh.load("cook", tmp_path)
    assert fresh.on is None and all(p.requires_grad for p in fresh.model.parameters())
