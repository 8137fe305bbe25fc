"""Oracles: the numbers given, read back from the axes; IPython's own formatter for what a notebook stores."""

import base64
import hashlib
import io
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from IPython.core.pylabtools import select_figure_formats
from matplotlib import font_manager
from matplotlib.image import imread

from minqwen import show
from minqwen.show import figure, plots


def shown(ax, kind=str.strip):
    return [kind(text.get_text()) for text in ax.texts]


def test_shapes_are_printed_one_aligned_line_each(capsys):
    show.shapes(q=torch.zeros(2, 3, 5, 7), scores=torch.zeros(2, 3, 5, 5), mask=torch.zeros(5, 5, dtype=torch.bool))
    assert capsys.readouterr().out.splitlines() == [
        "q       (2, 3, 5, 7)  float32",
        "scores  (2, 3, 5, 5)  float32",
        "mask    (5, 5)        bool",
    ]


def test_a_heatmap_of_weights_is_cividis_from_zero():
    weights = torch.rand(5, 7)
    ax = show.heatmap(weights, title="A claim", x="key S", y="query T")
    [image] = ax.get_images()
    assert np.allclose(image.get_array(), weights)
    assert image.get_cmap().name == "cividis" and image.get_clim() == (0.0, pytest.approx(weights.max().item()))
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("A claim", "key S", "query T")


def test_shares_keep_one_scale_and_few_places_whole_numbers():
    ax = show.heatmap(torch.full((3, 5), 0.02), title="Little", x="head H", y="layer", high=1.0)
    [image] = ax.get_images()
    assert image.get_clim() == (0.0, 1.0), "two per cent must not look bright"
    assert [tick for tick in ax.get_yticks() if -0.5 <= tick <= 2.5] == [0, 1, 2]


def test_a_heatmap_with_negative_values_is_centred_on_zero():
    ax = show.heatmap([[-3.0, 1.0], [0.5, 2.0]], title="Signed", x="x", y="y")
    [image] = ax.get_images()
    assert image.get_cmap().name == "PuOr" and image.get_clim() == (-3.0, 3.0)


def test_a_small_heatmap_shows_its_numbers_and_a_large_one_a_scale():
    few = show.heatmap(torch.full((2, 3), 0.25), title="Few", x="x", y="y")
    assert shown(few) == ["0.25"] * 6 and not few.child_axes
    mask = show.heatmap(torch.ones(3, 3, dtype=torch.bool).tril(), title="Mask", x="x", y="y")
    assert shown(mask) == list("100110111")
    many = show.heatmap(torch.rand(11, 13), title="Many", x="x", y="y")
    assert not many.texts and len(many.child_axes) == 1


def test_tokens_name_rows_and_columns():
    tokens = ["床", "␣the", "$5"]
    ax = show.heatmap(torch.eye(3), title="Named", x="key S", y="query T", columns=tokens, rows=tokens)
    assert [label.get_text() for label in ax.get_xticklabels()] == tokens
    assert [label.get_text() for label in ax.get_yticklabels()] == tokens


def test_curves_are_named_at_their_ends_without_a_legend():
    ax = show.curves([1, 2, 4], {"flat": [1.0, 1.0, 1.0], "steep": torch.tensor([1.0, 4.0, 16.0])}, "Claim", "d", "var")
    assert ax.get_legend() is None
    assert shown(ax) == ["flat", "steep"]
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == [[1.0, 1.0, 1.0], [1.0, 4.0, 16.0]]
    assert len({line.get_linestyle() for line in ax.get_lines()}) == 2, "colour alone would tell them apart"
    assert [text.get_color() for text in ax.texts] == [line.get_color() for line in ax.get_lines()]


def test_log_axes_write_plain_numbers():
    ax = show.curves([1, 4, 16, 64], {"y": [1.0, 10.0, 100.0, 1000.0]}, "Claim", "x", "y", log_x=True, log_y=True)
    ax.figure.draw_without_rendering()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert {"1", "10", "100", "1000"} <= {label.get_text() for label in ax.get_yticklabels()}


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        pytest.param([0.1, 0.9], [0.1, 0.9], id="far apart: untouched"),
        pytest.param([0.5, 0.5], [0.45, 0.55], id="equal: moved apart around their place"),
        pytest.param([0.02, 0.0, 0.9], [0.1, 0.0, 0.9], id="at the bottom: not below it"),
        pytest.param([1.0, 0.98, 1.0], [0.9, 0.8, 1.0], id="at the top: not above it"),
        pytest.param([0.8, 0.2, 0.5], [0.8, 0.2, 0.5], id="in any order"),
    ],
)
def test_labels_keep_their_distance(heights, expected):
    assert plots._spread(heights, gap=0.1) == pytest.approx(expected)


def test_bars_say_their_numbers_from_the_top():
    ax = show.bars([0.5, 0.25, 0.0], ["床", "␣a", "end"], title="Claim", x="weight")
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.25, 0.0]
    assert shown(ax) == ["0.50", "0.25", ""]
    assert ax.yaxis_inverted()


def test_a_long_title_is_broken_into_lines():
    ax = show.heatmap(torch.rand(3, 3), title="one claim " * 12, x="x", y="y")
    assert all(len(line) <= 70 for line in ax.get_title(loc="left").splitlines())


def test_a_notebook_stores_the_picture_once_with_its_alternative_text():
    ax = show.heatmap(torch.eye(3), title="Each token averages itself", x="key S", y="query T", alt="A bright diagonal")
    formatter = DisplayFormatter()
    select_figure_formats(type("Shell", (), {"display_formatter": formatter})(), {"png"}, bbox_inches="tight")
    data, metadata = formatter.format(ax.figure)
    assert set(data) == {"image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == "A bright diagonal"
    _, width, _ = imread(io.BytesIO(base64.b64decode(data["image/png"]))).shape
    assert metadata["image/png"]["width"] == pytest.approx(width / 1.6, abs=3), "shown at less than its pixels: sharp"
    assert len(data["image/png"]) < 140_000


def test_the_default_alternative_text_holds_the_claim_and_the_axes():
    ax = show.bars([1.0], ["a"], title="Only one bar", x="weight")
    assert ax.figure.alt == "Bars, weight: Only one bar"
    ax = show.curves([1, 2], {"loss": [2.0, 1.0]}, "It falls", "step", "loss")
    assert ax.figure.alt == "Lines, loss by step, of loss: It falls"


def test_chinese_is_drawn_on_every_machine_without_a_warning(caplog):
    font_manager.fontManager._findfont_cached.cache_clear()  # matplotlib warns of a font once only
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokens = ["床前", "明月光", "𠀀", "\x01", "$x$"]
        ax = show.heatmap(torch.eye(5), title="静夜思", x="键 S", y="查询 T", columns=tokens, rows=tokens)
        ax.figure.savefig(io.BytesIO(), format="png")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["床前", "明月光", "U+20000", "U+0001", "$x$"]
    assert ax.title.get_fontweight() == "bold" and caplog.messages == []


def test_the_font_is_the_one_that_its_readme_describes():
    readme = (figure.FONT.parent / "README.md").read_text("utf-8")
    [expected] = re.findall(r"[0-9a-f]{64}", readme)
    assert hashlib.sha256(figure.FONT.read_bytes()).hexdigest() == expected


def test_the_readers_own_settings_stay_as_they_are():
    before = dict(plt.rcParams)
    show.bars([1.0], ["a"], title="t", x="x")
    assert dict(plt.rcParams) == before
