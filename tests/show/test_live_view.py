"""The picture that follows a run. Oracles: the steps given, and what the display was told."""

import pytest

from minqwen import show
from minqwen.model import training
from minqwen.show import live_view

STEPS = [training.Step(i, 8.0 - i, 1e-3, 1.0, 100.0) for i in range(6)]


@pytest.fixture
def display(monkeypatch):
    told = []
    monkeypatch.setattr(live_view.DisplayHandle, "display", lambda self, picture: told.append(("new", picture)))
    monkeypatch.setattr(live_view.DisplayHandle, "update", lambda self, picture: told.append(("again", picture)))
    return told


def test_steps_pass_through_one_by_one_and_the_picture_is_drawn_while_they_come(display):
    seen = []
    for step in show.live(iter(STEPS), every=0.0):
        seen.append(step)
        assert len(display) == len(seen) - 1, "the step is given on before its picture"
    assert seen == STEPS and [how for how, _ in display] == ["new"] + ["again"] * 6


def test_the_last_picture_holds_every_loss_and_its_alternative_text(display):
    list(show.live(STEPS, title="It falls", every=99.0))
    [(how, picture)] = display
    mean, losses = picture.axes[0].get_lines()
    assert how == "new" and list(losses.get_ydata()) == [8.0, 7.0, 6.0, 5.0, 4.0, 3.0]
    assert list(mean.get_ydata()) == list(losses.get_ydata()), "of few steps each is its own mean"
    assert picture.axes[0].get_title(loc="left") == "It falls" and "loss in nats a token by step" in picture.alt


def test_a_run_without_steps_draws_nothing(display):
    assert list(show.live([])) == [] and display == []
