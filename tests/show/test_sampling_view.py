"""Sampling bars: what they return is what would be drawn. Oracle: the shares worked out by hand."""

import pytest
import torch
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.show import sampling_view
from minqwen.tokenizer import Tokenizer

SHARES = [0.4, 0.3, 0.2, 0.1]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_pretrained(assets.TINY_QWEN)


@pytest.fixture
def logits():
    rare = torch.full((30,), -40.0)
    return torch.cat([torch.tensor(SHARES).log(), rare])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, SHARES, id="the model's own"),
        pytest.param({"top_k": 2}, [4 / 7, 3 / 7, 0, 0], id="top-k"),
        pytest.param({"top_p": 0.65}, [4 / 7, 3 / 7, 0, 0], id="top-p"),
        pytest.param({"top_k": 3, "top_p": 0.4}, [1, 0, 0, 0], id="both"),
        pytest.param({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30], id="colder: squares"),
        pytest.param({"temperature": 0.5, "top_p": 0.6}, [16 / 25, 9 / 25, 0, 0], id="colder, then cut"),
    ],
)
def test_the_blue_bars_are_what_would_be_drawn(logits, tokenizer, settings, expected):
    drawn = show.sampling_plot(logits, tokenizer, **settings)
    assert_close(drawn[:4], torch.tensor(expected, dtype=torch.float32), atol=1e-5, rtol=0)
    ax = sampling_view.plt.gcf().axes[0]
    widths = [bar.get_width() for bar in ax.patches]
    assert widths[:4] == pytest.approx(SHARES, abs=1e-5)
    assert widths[14:18] == pytest.approx(expected, abs=1e-5)


def test_what_is_never_drawn_says_so_in_words(logits, tokenizer):
    show.sampling_plot(logits, tokenizer, top_k=1)
    ax = sampling_view.plt.gcf().axes[0]
    assert [text.get_text().strip() for text in ax.texts[:3]] == ["100%", "× never", "× never"]
    assert ax.get_title(loc="left") == "1 of 34 tokens may be drawn"


def test_the_controls_move_the_bars(logits, tokenizer):
    w = show.sampling_bars(logits, tokenizer)
    assert_close(w.result[:4], torch.tensor(SHARES), atol=1e-5, rtol=0)
    w.top_k.value = 1
    assert w.result[0] == 1
    assert [control.description for control in w.controls.values()] == ["temperature", "top-k (0: off)", "top p"]
