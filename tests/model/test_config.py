"""A config is checked once, when it is made; hub dictionaries against `transformers`' own field names."""

import dataclasses
import inspect

import pytest
from transformers import Qwen2Config

from minqwen.model import QwenConfig


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        pytest.param(
            {"d_model": 193},
            "the nearest width that does, with an even head, is 192",
            id="heads do not divide the width",
        ),
        pytest.param({"d_model": 6 * 31}, "use d_model=192", id="odd head size"),
        pytest.param({"d_model": 28, "n_heads": 5, "n_kv_heads": 5}, "with an even head, is 30", id="no odd advice"),
        pytest.param({"n_heads": 0}, "must be above zero; the tiny Qwen has 6", id="no head"),
        pytest.param({"d_model": "192"}, "must be of type int, such as 192", id="a word"),
        pytest.param({"tie_embeddings": 1}, "must be of type bool, such as False", id="one for true"),
        pytest.param({"n_kv_heads": 4}, r"use n_kv_heads=6 \(no sharing\)", id="groups do not divide the heads"),
        pytest.param({"n_layers": 0}, "the tiny Qwen has 6", id="no layer"),
        pytest.param({"norm_eps": 0.0}, "the tiny Qwen has 1e-06", id="no eps"),
    ],
)
def test_a_config_that_cannot_be_names_the_way_out(wrong, remedy):
    bare = inspect.unwrap(QwenConfig.__init__)  # as in a notebook, where no hook checks types
    with pytest.raises(ValueError, match=remedy):
        bare(object.__new__(QwenConfig), **{**dataclasses.asdict(QwenConfig()), **wrong})


def test_hub_names_go_there_and_back():
    config = QwenConfig(vocab_size=61, rope_base=5e5, tie_embeddings=True)
    assert QwenConfig.from_hub(config.to_hub()) == config


def test_every_hub_name_is_a_field_of_transformers():
    theirs = Qwen2Config(**QwenConfig(d_model=60, n_heads=6, n_kv_heads=2).to_hub())
    assert (theirs.hidden_size, theirs.num_key_value_heads, theirs.intermediate_size) == (60, 2, 512)
    assert theirs.rope_parameters["rope_theta"] == 10000.0


def test_an_unknown_model_type_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="the model types that load are: qwen2"):
        QwenConfig.from_hub({**QwenConfig().to_hub(), "model_type": "mamba"})


def test_a_config_with_a_hole_names_the_field():
    hub = QwenConfig().to_hub()
    del hub["hidden_size"]
    with pytest.raises(ValueError, match=r"lacks hidden_size; copy the complete file"):
        QwenConfig.from_hub(hub)
