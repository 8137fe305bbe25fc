"""The labelling tool without and with its buttons. Oracles: a stack of scores, the file, scikit-learn's kappa."""

import html
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from minqwen import show
from minqwen.align import preference
from minqwen.show import labelling, review

ITEMS = (("问 <b>1</b>", ("甲", "乙\n乙", "丙", "丁")), ("问 2", ("a", "b")), ("问 3", ("x", "y", "z")))


@given(st.lists(st.booleans(), max_size=9))
@settings(deadline=None)
def test_a_labelling_is_a_stack_of_scores(steps):
    state, stack = labelling.Labelling(ITEMS), []
    for undo in steps:
        if undo:
            state, stack = state.undo(), stack[:-1]
        elif state.current is not None:
            scores = tuple(1 + (len(stack) + at) % 5 for at in range(len(state.current[1])))
            state, stack = state.score(scores), [*stack, scores]
        assert list(state.given) == stack
        assert state.current == (ITEMS[len(stack)] if len(stack) < 3 else None)


def test_ranks_are_scores_the_other_way_round():
    assert labelling.scores_of((1, 4, 2, None)) == (4, 1, 3, None)
    assert labelling.Labelling(ITEMS).rank((1, 2, 2, 4)).given == ((4, 3, 3, 1),)
    assert labelling.Labelling(ITEMS).rank((1, 2, 2, 4)).pairs == 5, "a tie makes no pair"


@pytest.mark.parametrize("scores", [(1, 2), (0, 1, 2, 3), (6, 1, 2, 3), (1.5, 1, 2, 3)])
def test_other_scores_are_refused(scores):
    with pytest.raises(ValueError, match="give each 1 to 5, or None"):
        labelling.Labelling(ITEMS).score(scores)


@pytest.mark.parametrize("answers", [("one",), ("1", "2", "3", "4", "5")])
def test_one_answer_or_five_are_refused(answers):
    with pytest.raises(ValueError, match="give two to 4"):
        labelling.Labelling((("q", answers),))


def test_a_rank_beyond_the_answers_is_refused():
    with pytest.raises(ValueError, match="give each 1"):
        labelling.scores_of((1, 3))


@pytest.fixture
def widget(tmp_path):
    return show.labeller(ITEMS, tmp_path / "scores.jsonl")


def choose(widget, *values):
    for buttons, value in zip(widget.scores, values):
        buttons.value = value
    widget.save.click()


def test_what_the_buttons_say_is_in_the_file_at_once(widget):
    choose(widget, "5", "3", "–", "3")
    assert preference.read(widget.path) == [preference.Scored(*ITEMS[0], (5, 3, None, 3))]
    assert "1 of 3 questions judged, 2 pairs" in widget.progress.value
    widget.mode.value = "rank"
    choose(widget, "2", "1")
    assert preference.read(widget.path)[1].scores == (1, 2)
    widget.undo.click()
    assert len(preference.read(widget.path)) == 1 and "问 2" in widget.question.value
    widget.undo.click()
    assert preference.read(widget.path) == [] and widget.undo.disabled


def test_a_question_shows_its_answers_and_only_its_scores(widget):
    assert "&lt;b&gt;" in widget.question.value and "乙<br>乙" in widget.answers[1].value
    choose(widget, "1", "2", "3", "4")
    assert [each.layout.display for each in widget.answers] == [None, None, "none", "none"]
    assert [each.value for each in widget.scores[:2]] == ["–", "–"]
    widget.mode.value = "rank"
    assert widget.scores[0].options == ("–", "1", "2")


def test_it_ends_and_goes_on_where_it_stopped(widget):
    for _ in ITEMS:
        choose(widget, "1", "2", "3", "4")
    assert widget.save.disabled and "All questions are judged" in widget.question.value
    again = show.labeller(ITEMS, widget.path)
    assert again.state == widget.state
    with pytest.raises(ValueError, match="in the same order, or another file"):
        show.labeller(ITEMS[::-1], widget.path)


def test_after_a_crash_in_a_line_its_question_is_asked_again(widget):
    choose(widget, "1", "2", "3", "4")
    choose(widget, "1", "2")
    widget.path.write_bytes(widget.path.read_bytes()[:-9])
    again = show.labeller([(question, list(answers)) for question, answers in ITEMS], widget.path)
    assert again.state.given == ((1, 2, 3, 4),) and "问 2" in again.question.value
    choose(again, "5", "4")
    assert show.labeller(ITEMS, widget.path).state.given == ((1, 2, 3, 4), (5, 4))


def test_an_undo_at_the_start_writes_nothing(tmp_path):
    state = labelling.Labelling(ITEMS)
    labelling.save(state, state.undo(), tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_every_control_says_what_it_is(widget):
    assert [each.description for each in (widget.mode, *widget.scores)] == [
        "How",
        *(f"Answer {i}" for i in range(1, 5)),
    ]
    assert widget.save.tooltip and widget.undo.tooltip


def test_a_notebook_without_a_kernel_shows_the_answers_as_text(widget):
    stored = widget._repr_mimebundle_()["text/html"]
    question, answers = ITEMS[0]
    assert html.escape(question) in stored and stored.count("<li>") == len(answers) and "Save and Undo" in stored


def test_choices_of_two_people_agree_as_scikit_learn_counts():
    rng = random.Random(0)
    people = [
        [preference.Scored(str(q), ("a", "b", "c"), tuple(rng.choices([1, 3, 5], k=3))) for q in range(20)]
        for _ in range(2)
    ]
    a, b = map(labelling.choices, people)
    names = sorted(a)
    assert len(names) == 60 and set(a.values()) == {"first", "second", "tie"}
    assert review.agreement(a, b) == pytest.approx(cohen_kappa_score([a[n] for n in names], [b[n] for n in names]))


def test_choices_by_hand():
    [first] = [preference.Scored("q", ("a", "b", "c"), (3, None, 3))]
    assert labelling.choices([first]) == {("q", "a", "c"): "tie"}
    assert labelling.choices([preference.Scored("q", ("a", "b"), (1, 2))]) == {("q", "a", "b"): "second"}


def test_a_model_trains_on_the_file_as_it_is(widget):
    for _ in ITEMS:
        choose(widget, "1", "2", "3", "4")
    pairs = preference.comparisons(preference.read(widget.path))
    assert len(pairs) == 6 + 1 + 3 and torch.tensor([pair.gap for pair in pairs]).min() > 0
