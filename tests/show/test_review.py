"""The review without and with its buttons. Oracles: a list of verdicts, and scikit-learn's kappa."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from minqwen import show
from minqwen.show import review

PAGES = (("a.example/1", "The ferry leaves."), ("b.example/2", "Buy <b>pills</b>!"), ("c.example/3", "渡船出发。"))


@given(st.lists(st.sampled_from(["keep", "drop", "undo"]), max_size=12))
def test_a_review_is_a_stack_of_verdicts(steps):
    state, stack = review.Review(PAGES), []
    for step in steps:
        state = state.undo() if step == "undo" else state.decide(step)
        if step == "undo":
            stack = stack[:-1]
        elif len(stack) < len(PAGES):
            stack.append(step)
        assert list(state.verdicts) == stack
        assert state.current == (PAGES[len(stack)] if len(stack) < 3 else None)


def test_a_step_changes_nothing_in_place():
    start = review.Review(PAGES)
    start.decide("keep")
    assert start == review.Review(PAGES)
    with pytest.raises(ValueError, match="choose one of"):
        start.decide("maybe")


def test_the_file_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "review.jsonl"
    assert review.resume(PAGES, path) == review.Review(PAGES)
    state = review.Review(PAGES).decide("keep").decide("drop")
    review.save(state, path)
    assert review.resume(PAGES, path) == state
    assert review.verdicts(path) == {"a.example/1": "keep", "b.example/2": "drop"}
    with pytest.raises(ValueError, match="in the same order, or another file"):
        review.resume(PAGES[::-1], path)


@pytest.mark.parametrize("seed", range(5))
def test_agreement_is_the_kappa_that_scikit_learn_finds(seed):
    rng = random.Random(seed)
    a, b = ({str(i): rng.choices(["keep", "drop"], [3, 1])[0] for i in range(40)} for _ in range(2))
    names = sorted(a)
    assert review.agreement(a, b) == pytest.approx(cohen_kappa_score([a[n] for n in names], [b[n] for n in names]))


def test_agreement_counts_the_pages_that_both_have_seen():
    a, b = {"1": "keep", "2": "drop", "3": "keep"}, {"1": "keep", "2": "drop", "4": "drop"}
    assert review.agreement(a, b) == 1.0
    assert review.agreement({"1": "keep"}, {"1": "keep"}) == 1.0, "chance agrees as well, and they do agree"
    assert review.agreement({"1": "keep", "2": "drop"}, {"1": "drop", "2": "keep"}) == -1.0
    with pytest.raises(ValueError, match="let both look at the same sample"):
        review.agreement({"1": "keep"}, {"2": "keep"})


@pytest.fixture
def widget(tmp_path):
    return show.reviewer(PAGES, tmp_path / "review.jsonl")


def test_buttons_decide_and_what_they_decide_is_in_the_file(widget):
    assert "The ferry leaves." in widget.page.value and "0 of 3" in widget.progress.value
    assert widget.undo.disabled and not widget.keep.disabled
    widget.keep.click()
    assert "1 of 3 reviewed, 1 kept" in widget.progress.value
    widget.drop.click()
    assert review.verdicts(widget.path) == {"a.example/1": "keep", "b.example/2": "drop"}
    widget.undo.click()
    assert review.verdicts(widget.path) == {"a.example/1": "keep"}
    widget.keep.click()
    widget.keep.click()
    assert widget.keep.disabled and widget.drop.disabled and not widget.undo.disabled
    assert "All pages have a verdict" in widget.page.value


def test_the_buttons_stay_where_they_are_however_long_a_page_is(widget):
    assert widget.page.layout.height == "24em" and widget.page.layout.overflow == "auto"


def test_a_page_is_shown_as_text_and_never_as_markup(widget):
    widget.keep.click()
    assert "Buy &lt;b&gt;pills&lt;/b&gt;!" in widget.page.value


def test_a_long_page_is_cut_and_a_second_sitting_goes_on(tmp_path):
    pages = [("1", "word " * 9999), ("2", "short")]
    first = show.reviewer(pages, str(tmp_path / "r.jsonl"))
    assert len(first.page.value) < 4000
    first.drop.click()
    assert "short" in show.reviewer(pages, str(tmp_path / "r.jsonl")).page.value


def test_every_button_says_what_it_does(widget):
    buttons = [widget.keep, widget.drop, widget.undo]
    assert [button.description for button in buttons] == ["Keep", "Drop", "Undo"]
    assert all(button.tooltip for button in buttons)


def test_a_notebook_without_a_kernel_shows_the_page_as_text(widget):
    stored = widget._repr_mimebundle_()["text/html"]
    assert "0 of 3 reviewed" in stored and "The ferry leaves." in stored and "Keep, Drop and Undo" in stored
    for _ in range(3):
        widget.keep.click()
    assert "All pages have a verdict" in widget._repr_mimebundle_()["text/html"]
