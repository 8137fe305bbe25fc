"""The plan of a run. Oracle: the numbers of the report and the data sheet, multiplied by hand."""

import pytest

from minqwen import show
from minqwen.show import planner_view


def test_a_plan_is_the_products_of_published_numbers():
    found = planner_view.plan("7B", "A100", 64, 3, share=0.4, gigabits=200)
    tokens, weights = 2048 * 2048, 7_721_324_544 - 151_936 * 4096
    by_hand = (6 * weights + 6 * 32 * 4096 * 2049) * tokens / 64 / (312e12 * 0.4)
    assert found.computing == pytest.approx(by_hand, rel=1e-3)
    assert found.kept == pytest.approx(16 * 7_721_324_544 / 64)
    assert found.sending == pytest.approx(3 * 63 / 64 * 2 * 7_721_324_544 / 25e9)
    assert found.days == pytest.approx(found.computing * 2.4e12 / tokens / 86400)


def test_where_sending_is_longer_it_makes_the_days():
    found = planner_view.plan("7B", "A100", 4096, 3, share=0.4, gigabits=200)
    assert found.sending > found.computing
    assert found.days == pytest.approx(found.sending * 2.4e12 / 2048**2 / 86400)


@pytest.mark.parametrize(("n", "sharing", "words"), [(64, "everything shared", "fits"), (8, "whole copies", "not fit")])
def test_the_title_says_whether_it_fits(n, sharing, words):
    found = show.planner_plot(n=n, sharing=sharing)
    picture = planner_view.plt.gcf()
    assert words in picture.get_suptitle() and f"{found.days:,.0f} days" in picture.get_suptitle()
    assert [bar.get_width() for bar in picture.axes[0].patches] == pytest.approx([found.kept / 1e9, 80])
    assert "computes for" in picture.alt


def test_the_controls_move_the_plan():
    w = show.planner()
    before = w.result
    w.n.value = 128
    assert w.result.computing == pytest.approx(before.computing / 2)
    w.size.value = "14B"
    assert w.result.kept > before.kept / 2
    assert [c.description for c in w.controls.values()] == [
        "size",
        "accelerator",
        "sharing",
        "accelerators",
        "share of the peak",
    ]
