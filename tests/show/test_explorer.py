"""Widgets driven without a browser: set `.value`, read `.result` and the picture. Oracle: the plot function itself."""

import threading
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import pytest
from ipywidgets import FloatLogSlider, Text

from minqwen import show
from minqwen.show import explorer


def product(a: int = 3, b: float = 0.5, kind: str = "plain") -> float:
    if a == 7:
        raise ValueError("7 is not < 7; choose 6")
    if a == 8:
        raise KeyError("eight")
    show.bars([a * b], [kind], title="Product", x="a b")
    return a * b


@pytest.fixture
def w():
    return show.explore(product, a=(0, 10), b=FloatLogSlider(0.5, min=-2, max=2), kind=["plain", "fancy"])


def test_a_static_picture_stands_before_any_control_moves(w):
    assert w.result == 1.5
    assert w.picture.data.startswith(b"\x89PNG") and w.picture.alt == "Bars, a b: Product"


def test_moving_a_control_draws_anew(w):
    before = w.picture.data
    w.a.value = 4
    assert w.result == 2.0 and w.picture.data != before
    w.kind.value = "fancy"
    assert w.result == 2.0


def test_controls_start_at_the_defaults_and_are_described(w):
    assert (w.a.value, w.b.value, w.kind.value) == (3, 0.5, "plain")
    assert [control.description for control in w.controls.values()] == ["a", "b", "kind"]
    assert not w.a.continuous_update and not w.b.continuous_update


def test_an_error_is_a_sentence_and_the_last_good_picture_stays(w):
    before = w.picture
    w.a.value = 7
    assert "7 is not &lt; 7; choose 6" in w.message.value and 'role="alert"' in w.message.value
    assert w.picture is before and w.result == 1.5
    w.a.value = 8
    assert "KeyError" in w.message.value
    w.a.value = 2
    assert w.message.value == "" and w.result == 1.0


def test_an_error_in_the_first_picture_is_the_cells():
    with pytest.raises(ValueError, match="choose 6"):
        show.explore(lambda a=7: product(a), a=[7, 3])


def test_only_its_own_figure_is_closed(w):
    mine = plt.figure()
    w.a.value = 5
    w.a.value = 7
    assert [plt.figure(number) for number in plt.get_fignums()] == [mine]


def test_controls_of_two_explorers_that_move_at_once_draw_each_its_own_picture():
    def slowly(name: str) -> Callable[..., int]:
        def plot(n: int = 0) -> int:
            show.bars([n + 1.0], [name], title=name, x="n")
            time.sleep(0.02)  # between its figure and the end of the plot the other one draws
            plt.gca().set_xlim(0, n + 2)
            return n

        return plot

    both = [show.explore(slowly(name), n=(0, 20)) for name in ("left", "right")]

    def move(each: explorer.Explorer) -> None:
        for n in range(1, 6):
            each.n.value = n

    threads = [threading.Thread(target=move, args=(each,)) for each in (*both, *both)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(each.result, each.picture.alt) for each in both] == [(5, "Bars, n: left"), (5, "Bars, n: right")]
    assert all(each.message.value == "" for each in both) and not plt.get_fignums()


def test_displaying_shows_controls_and_picture_and_updates_in_place(w, monkeypatch):
    shown, updated = [], []
    monkeypatch.setattr(explorer, "display", shown.append)
    monkeypatch.setattr(w._handle, "display", shown.append)
    monkeypatch.setattr(w._handle, "update", updated.append)
    first = w.picture
    w.a.value = 4
    assert updated == []
    w._ipython_display_()
    assert shown == [w.box, w.picture] and w.picture is not first
    w.a.value = 5
    assert updated == [w.picture]


def test_unknown_names_are_refused_with_the_known_ones(w):
    with pytest.raises(ValueError, match="its arguments are a, b, kind"):
        show.explore(product, c=(0, 1))
    with pytest.raises(AttributeError, match="there are a, b, kind"):
        _ = w.c


def test_a_widget_keeps_its_own_description():
    w = show.explore(product, kind=Text("x", description="sort of bar"))
    assert w.kind.description == "sort of bar"
