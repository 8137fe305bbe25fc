"""Numbers and letters. Oracle: 64, and a letter made up here."""

import dataclasses

import numpy as np
import pytest
import torch

from minqwen.check import EXERCISES, check, verdict

LETTER = dataclasses.replace(EXERCISES["01_variance"], formula="'b'", wrong_answers={})


@pytest.mark.parametrize("answer", [64, 64.0, np.float64(64), torch.tensor(64.0), torch.tensor([64])])
def test_a_number_may_come_as_any_kind_of_number(answer):
    assert check(answer, "01_variance")


class Liar(float):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __hash__ = None


@pytest.mark.parametrize("answer", [Liar(3.0), 64.1, float("nan"), float("inf"), -64])
def test_another_number_is_wrong_whatever_it_says_of_itself(answer):
    assert not check(answer, "01_variance")


@pytest.mark.parametrize("answer", ["64", True, None, [64], torch.zeros(2)])
def test_what_is_no_number_is_told_that_a_number_is_wanted(answer, capsys):
    assert not check(answer, "01_variance")
    assert "the answer is a number" in capsys.readouterr().out


def test_a_tolerance_is_a_share_of_the_answer():
    assert check(35_000, "02_slowest_pair") and not check(34_000, "02_slowest_pair")


def test_a_negative_answer_has_its_tolerance_too():
    found = dataclasses.replace(EXERCISES["01_variance"], formula="-64", tolerance=0.01, wrong_answers={})
    right = {answer: verdict.of_value(found, answer).passed for answer in (-64, -64.5, -63.5, -65, -63, 64)}
    assert right == {-64: True, -64.5: True, -63.5: True, -65: False, -63: False, 64: False}


def test_a_measurement_near_a_whole_answer_is_asked_for_the_whole_number(capsys):
    assert not check(64.116, "01_variance")
    assert "64.116 is close, as a measurement is: which whole number is it near?" in capsys.readouterr().out
    for answer in (63, 70.5):
        assert not check(answer, "01_variance")
        assert f"not yet; it is not {answer}." in capsys.readouterr().out


@pytest.mark.parametrize("cause", ["c", "C", " (c) "])
def test_the_letter_of_a_cause_may_come_in_brackets(cause):
    assert verdict.of_cause(EXERCISES["02_interleaved"], [], cause).passed


def test_a_letter_may_be_large_and_padded():
    assert verdict.of_value(LETTER, " B ").passed and not verdict.of_value(LETTER, "c").passed
    assert "the answer is a letter" in verdict.of_value(LETTER, 2).text


def test_an_answer_not_yet_given_raises_not_implemented_error():
    with pytest.raises(NotImplementedError, match=r"check\(answer, \"01_variance\"\)"):
        check(..., "01_variance")
