"""Evidence for lesson 09: its variants and its rows are the same; a run is what the functions that it calls say."""

import pytest
import torch

import lengths as tool
from minqwen.model import Qwen, QwenConfig
from minqwen.show import lengths


def test_every_variant_is_a_row_and_every_row_a_variant():
    assert list(tool.VARIANTS) == list(lengths.settings(QwenConfig()))


def test_a_run_is_one_row_on_one_part():
    config = QwenConfig(vocab_size=31, d_model=28, n_layers=3, n_heads=2, n_kv_heads=2, d_ff=11, max_length=4)
    model = Qwen(config, torch.Generator().manual_seed(0))
    blocks = torch.randint(0, 31, (4, 33), generator=torch.Generator().manual_seed(1))
    prepared = tool.Prepared(model, lengths.splits(blocks, 2))
    [record] = tool.measure("+ LogN", tool.RECIPE, 1, prepared)
    assert record["step"] == 0 and record["predicted"] == 64 and list(record["nats"]) == ["2", "4", "8", "16", "32"]
    model.long_context = lengths.settings(config)["+ LogN"]
    whole = lengths.nats(model, blocks[2:], 32, end=2)
    assert record["nats"]["32"] == {
        "everywhere": pytest.approx(whole.everywhere),
        "at_the_end": pytest.approx(whole.at_the_end),
    }
