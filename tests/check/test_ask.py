"""What happens to arguments that are no tensors. Oracle: the arguments, written out."""

import dataclasses

import numpy as np
import pytest

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


def test_a_view_may_be_allowed():
    assert reply(lambda x: x[:1], np.array([1, 2]), may_view=True).raw.values == [1]
