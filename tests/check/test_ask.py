"""What happens to arguments, and whether gradients reach them. Oracle: the arguments and slopes, written out."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from minqwen.check import EXERCISES, ask, parts


def reply(answer, x, may_view=False):
    exercise = dataclasses.replace(EXERCISES["merge_pair"], may_view=may_view)
    return ask.ask(answer, parts.Case({"x": x}, x), exercise)


def clear(x):
    x.clear()
    return x


def zero(x):
    x[0] = 0
    return x.copy()


@pytest.mark.parametrize(
    ("answer", "x", "fault"),
    [
        pytest.param(clear, {1, 2}, "it changed its argument x in place", id="a set"),
        pytest.param(clear, {1: 2}, "it changed its argument x in place", id="a dict"),
        pytest.param(zero, np.array([1, 2]), "still needs x: take a new array", id="an array"),
        pytest.param(lambda x: x[:1], np.array([1, 2]), "returned its argument x, or a view of it", id="a view"),
        pytest.param(lambda x: x.copy(), np.array([1, 2]), "", id="a copy of an array"),
        pytest.param(set, {1, 2}, "", id="a copy of a set"),
    ],
)
def test_an_argument_is_the_callers(answer, x, fault):
    assert fault in reply(answer, x).fault and bool(fault) == bool(reply(answer, x).fault)


def judged(answer, **case):
    x = torch.tensor([1.0, math.nan, 3.0])
    return ask.ask(answer, parts.Case({"x": x}, **case), EXERCISES["merge_pair"])


def test_an_argument_that_holds_no_number_comes_back_unchanged():
    assert judged(lambda x: x.nan_to_num()).fault == ""
    assert "changed its argument x in place" in judged(lambda x: x.nan_to_num_() + 1).fault


def test_a_gradient_is_judged_where_it_is_read_and_by_its_numbers():
    def answer(x):
        return x.nan_to_num().square(), x.detach() + 1

    first, second = lambda out: out[0], lambda out: out[1]
    assert judged(answer, gradients=("x",)).value.values == [True]
    assert judged(answer, gradients=("x",), read=first).value.values == [True]
    assert judged(answer, gradients=("x",), read=second).value.values == [False]
    assert judged(answer, slope="x").value.values == [2.0, 0.0, 6.0]
    assert judged(answer, slope="x", read=second).value.values == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("case", [{"gradients": ("x",)}, {"slope": "x"}], ids=["reached", "slope"])
def test_an_answer_may_not_switch_the_gradient_of_an_argument_off(case):
    assert "take x.detach(), a new tensor" in judged(lambda x: x.detach_() * 2, **case).fault
    assert judged(lambda x: x.detach() * 2, **case).fault == ""


def test_a_view_may_be_allowed():
    assert reply(lambda x: x[:1], np.array([1, 2]), may_view=True).raw.values == [1]
