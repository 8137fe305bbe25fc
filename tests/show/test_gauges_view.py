"""The gauges of RLHF: what the picture holds, and what the buttons do. Oracle: runs whose gauges are known."""

import threading

import pytest

from minqwen.align.rlhf import Gauges, Iteration
from minqwen.show import gauges_view


def iteration(step):
    numbers = {"reward": 0.5 * step, "kl": 2.0 * step, "ended": 1.0, "clip_share": 0.125}
    rest = dict.fromkeys(set(Gauges._fields) - {"step", *numbers}, 0.0)
    return Iteration(Gauges(step=step, **numbers, **rest), None, None)


def test_the_picture_shows_four_gauges_and_says_the_last():
    picture = gauges_view.gauges_plot([iteration(step).gauges for step in range(4)])
    lines = [ax.lines[0].get_ydata().tolist() for ax in picture.axes]
    assert lines == [[0.0, 0.5, 1.0, 1.5], [0.0, 2.0, 4.0, 6.0], [1.0] * 4, [0.125] * 4]
    assert "After 4 iterations: mean score 1.5, KL, nats an answer 6, share that ends 1" in picture.alt


def test_iterations_pass_through_and_are_drawn_at_the_end(monkeypatch):
    shown = []
    monkeypatch.setattr(gauges_view.DisplayHandle, "display", lambda self, image: shown.append("new"))
    monkeypatch.setattr(gauges_view.DisplayHandle, "update", lambda self, image: shown.append("again"))
    run = [iteration(step) for step in range(3)]
    assert list(gauges_view.gauges(iter(run), every=0.0)) == run and shown == ["new", "again", "again", "again"]
    assert list(gauges_view.gauges(iter([]))) == [] and len(shown) == 4


def test_a_run_that_ends_in_an_error_is_drawn_all_the_same(monkeypatch):
    shown = []
    monkeypatch.setattr(gauges_view.DisplayHandle, "display", lambda self, image: shown.append("new"))

    def runs_away():
        yield iteration(0)
        raise ValueError("KL is 200")

    with pytest.raises(ValueError, match="KL is 200"):
        list(gauges_view.gauges(runs_away()))
    assert shown == ["new"]


@pytest.fixture
def control():
    """A run that waits for leave before every iteration."""
    leave = threading.Semaphore(0)

    def begin():
        for step in range(3):
            assert leave.acquire(timeout=20)
            yield iteration(step)

    made = gauges_view.aligner(begin, lambda each: f"<poem {each.gauges.step}>")
    made.leave = leave
    return made


def test_start_runs_to_the_end(control):
    control.start.click()
    assert control.start.disabled and not control.stop.disabled
    control.leave.release(3)
    control.thread.join(20)
    assert [g.step for g in control.seen] == [0, 1, 2] and "Finished after 3" in control.status.value
    assert "&lt;poem 2&gt;" in control.said.value and bytes(control.picture.value[:4]) == b"\x89PNG"
    assert control.stop.disabled and not control.start.disabled


def test_stop_ends_the_run_after_the_iteration_under_way(control):
    control.start.click()
    control.stop.click()
    control.leave.release(3)
    control.thread.join(20)
    assert [g.step for g in control.seen] == [0] and "Stopped after 1" in control.status.value


def test_a_run_that_ran_away_says_so():
    def begin():
        yield iteration(0)
        raise ValueError("KL is 200 <nats>")

    control = gauges_view.aligner(begin, lambda each: "")
    control.run()
    control.thread.join(20)
    assert "✗ KL is 200 &lt;nats&gt; after 1" in control.status.value and not control.start.disabled


def test_any_other_error_is_shown_too_and_start_works_again():
    def begin():
        yield iteration(0)

    control = gauges_view.aligner(begin, lambda each: {}["<poem>"])
    control.run()
    control.thread.join(20)
    assert "✗ KeyError: &#x27;&lt;poem&gt;&#x27; after 1" in control.status.value
    assert "can be used" not in control.status.value and not control.start.disabled and control.stop.disabled
