"""Perplexity by length. Oracles: one window at a time, added up by hand; a log made up of powers of e."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.model import LongContext, QwenConfig
from minqwen.show import length_view, lengths
from minqwen.show.runs import Log
from minqwen.tokenizer import Tokenizer


@pytest.fixture
def blocks():
    return torch.randint(0, 259, (3, 25), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("length", [4, 12, 24])
def test_every_length_predicts_the_same_tokens_each_with_what_its_window_holds(model, blocks, length):
    costs = []
    for block in blocks:
        for start in range(0, 24, length):
            logp = model(block[None, start : start + length])[0].log_softmax(-1)
            costs += [-logp[i, block[start + i + 1]].item() for i in range(length)]
    costs = torch.tensor(costs).view(3, 24)
    found = lengths.nats(model, blocks, length, end=4)
    assert found.everywhere == pytest.approx(costs.mean().item(), rel=1e-5)
    assert found.at_the_end == pytest.approx(costs[:, 20:].mean().item(), rel=1e-5)


def test_rows_are_measured_with_their_settings_and_the_model_keeps_its_own(model, blocks):
    rows = {"none": LongContext(), "narrow": LongContext(windows=(1, 1, 1))}
    own, long = model.long_context, blocks.repeat(1, 3)[:, :65]
    table = lengths.by_length(model, long, [32, 64], rows)
    assert model.long_context is own
    assert abs(table["none"][0].everywhere - table["narrow"][0].everywhere) > 1e-4, "a window of one sees less"
    with pytest.raises(ValueError, match="do not fit 3 layers"):
        lengths.by_length(model, long, [64], {"wrong": LongContext(windows=(1,))})
    assert model.long_context is own, "also after an error"


@pytest.mark.parametrize(("length", "end"), [(7, 4), (4, 5), (4, 0)])
def test_lengths_that_do_not_divide_a_block_are_refused(model, blocks, length, end):
    with pytest.raises(ValueError, match="use a length that divides 24"):
        lengths.nats(model, blocks, length, end)


def test_blocks_are_the_running_text_of_the_held_out_plays():
    tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)
    blocks = lengths.held_out_blocks(tokenizer, 2048)
    assert blocks.shape[1] == 2049 and len(blocks) >= 30
    inside = [i for i in range(len(blocks) - 1) if blocks[i, -1] == blocks[i + 1, 0]]
    assert len(inside) >= len(blocks) - 2, "each block goes on where the one before ended, but between the plays"
    text = "".join(tokenizer.decode(block[:-1].tolist()) for block in blocks)
    assert "by William Shakespeare" not in text and text.count("DUKE") > 50 and text.count("TIMON") > 50
    assert tokenizer.encode("<|endoftext|>", allow_control=True)[0] not in blocks


def test_parts_are_neighbours_and_equally_long():
    blocks = torch.arange(22).view(11, 2)
    parts = lengths.splits(blocks, 3)
    assert [part[:, 0].tolist() for part in parts] == [[0, 2, 4], [6, 8, 10], [12, 14, 16]]
    with pytest.raises(ValueError, match="ask for fewer, or for shorter blocks"):
        lengths.splits(blocks, 12)


def test_the_rows_add_one_technique_each():
    rows = list(lengths.settings(QwenConfig()).values())
    assert rows[0] == LongContext() and rows[4].windows == (256, 256, 512, 512, 1024, 1024)
    assert [(row.positions, row.logn, bool(row.windows)) for row in rows] == [
        ("as trained", False, False),
        ("interpolated", False, False),
        ("ntk", False, False),
        ("ntk", True, False),
        ("ntk", True, True),
        ("as trained", False, True),
    ]


@pytest.fixture
def log():
    """Perplexities e^(1 + 0.1·part) at 8 tokens; at 16 those of "a" twice, of "b" three times as high."""
    records = []
    for row, times in (("a", 2), ("b", 3)):
        for part in range(3):
            near, far = 1 + 0.1 * part, 1 + 0.1 * part + math.log(times)
            nats = {"8": {"everywhere": near, "at_the_end": near}, "16": {"everywhere": far, "at_the_end": 2 * far}}
            records.append({"variant": row, "seed": part, "step": 0, "nats": nats})
    return Log({"variants": {"a": {}, "b": {}}}, records)


def test_growth_is_a_ratio_within_each_part(log):
    assert length_view.growth(log, "b", 16, 8, "all positions") == pytest.approx((3, 3, 3))
    low, mean, high = length_view.growth(log, "a", 16, 8, "the last L/2")
    assert low < mean < high and mean == pytest.approx(math.exp(1.1 + 2 * math.log(2)))


def test_the_curves_are_the_means_of_the_log_and_the_title_names_both_ends(log):
    drawn = show.length_curves_plot(log, trained=8)
    lines = {line.get_label(): line for line in plt.gca().get_lines()}
    assert_close(drawn["a"], [math.exp(1.1), 2 * math.exp(1.1)])
    assert lines["b"].get_ydata().tolist() == drawn["b"] and lines["b"].get_xdata().tolist() == [8, 16]
    assert plt.gca().get_title(loc="left") == "At 2 L the perplexity is 2.0 (a) to 3.0 (b) times that at L"
    assert "a 3, 6; b 3, 9" in plt.gcf().alt and plt.gca().get_yscale() == "log"


def test_the_control_changes_the_measure(log):
    w = show.length_curves(log, trained=8)
    assert w.result["a"][1] == pytest.approx(2 * math.exp(1.1))
    w.measure.value = "the last L/2"
    assert w.result["a"][1] == pytest.approx(4 * math.exp(2.2))
