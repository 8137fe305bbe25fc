"""Plain data and its comparison. Oracle: Python's own numbers, written out."""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
import torch

from minqwen.check import plain


def test_a_tensor_becomes_its_type_its_shape_and_its_numbers():
    x = torch.tensor([[1.5, 2.0], [0.0, -1.0]], dtype=torch.bfloat16, requires_grad=True)
    assert plain.to_plain(x.mT) == plain.Plain("bfloat16", (2, 2), [1.5, 0.0, 2.0, -1.0])
    assert plain.to_plain(True) == plain.Plain("bool", None, [True])


def test_lists_dicts_and_strings_become_their_entries():
    assert plain.to_plain((1, [2, 3])) == plain.to_plain([1, (2, 3)]) == plain.Plain("list", None, [1, (2, 3)])
    counted = Counter({(98, 97): 1, (97, 98): 2})
    assert plain.to_plain(counted) == plain.Plain("dict", None, [((97, 98), 2), ((98, 97), 1)])
    assert plain.to_plain("月") == plain.Plain("str", None, ["月"])
    assert plain.to_plain({"b", "a"}) == plain.to_plain(frozenset("ab")) == plain.Plain("set", None, ["a", "b"])


class Named(NamedTuple):
    a: np.ndarray
    b: int


def test_an_array_becomes_its_type_its_shape_and_its_numbers_wherever_it_stands():
    x = np.array([[1, 2, 3], [4, 5, 2**32 - 1]], np.uint32)
    assert plain.to_plain(x.T) == plain.Plain("array of uint32", (3, 2), [1, 4, 2, 5, 3, 2**32 - 1])
    assert plain.to_plain(Named(x[0], 7)) == plain.Plain("list", None, [(1, 2, 3), 7])
    assert not plain.same(plain.to_plain(torch.tensor([1])), plain.to_plain(np.array([1])))
    near, far = (plain.to_plain(np.array([1.0 + by])) for by in (1e-12, 1e-6))
    assert plain.same(near, plain.to_plain(np.array([1.0]))) and not plain.same(far, plain.to_plain(np.array([1.0])))


class Subclass(torch.Tensor):
    pass


class Agrees(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


AROUND: list = []
AROUND.append(AROUND)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (None, "is the return missing?"),
        (np.array([1]).view(type("Mine", (np.ndarray,), {})), "Mine; a plain torch.Tensor"),
        (np.array([object()]), "returned a numpy.ndarray; a plain torch.Tensor"),
        (np.uint32(3), "returned a numpy.uint32, one entry of NumPy's; return a whole array"),
        ([np.int64(3)], r"holds a int64 of NumPy; take int\(...\) of it"),
        ({(1, np.float64(3))}, r"holds a float64 of NumPy; take int\(...\) of it"),
        ((torch.zeros(2), 0.5), "returned a tuple of Tensor, float; each of its entries shall be a tensor"),
        ([torch.zeros(2)], "returned a list or dict that holds a Tensor; plain numbers"),
        ({"a": [object()]}, "returned a list or dict that holds a object"),
        (AROUND, "returned a list or dict that holds itself"),
        (torch.zeros(2).as_subclass(Subclass), "Subclass; a plain torch.Tensor"),
        (torch.zeros(2, device="meta"), "an ordinary one on cpu is wanted"),
        (torch.zeros(2, 2).to_sparse(), "an ordinary one on cpu is wanted"),
    ],
)
def test_what_is_no_plain_tensor_is_refused_in_words(x, words):
    with pytest.raises(TypeError, match=words):
        plain.to_plain(x)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        pytest.param(1.0, 1.0 + 1e-7, True, id="rounding"),
        pytest.param(1.0, 1.001, False, id="a mistake"),
        pytest.param(1e6, 1e6 + 1, True, id="rounding of a large number"),
        pytest.param(math.nan, math.nan, True, id="NaN is what NaN is"),
        pytest.param(math.nan, 1.0, False, id="NaN is no number"),
        pytest.param(1.0, math.inf, False, id="infinity is not near"),
        pytest.param(math.inf, math.inf, True, id="infinity is itself"),
        pytest.param(-math.inf, math.inf, False, id="infinity has a sign"),
    ],
)
def test_numbers_are_the_same_up_to_rounding(a, b, same):
    assert plain.same(plain.to_plain(torch.tensor([a])), plain.to_plain(torch.tensor([b]))) is same


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        pytest.param([1, 2], (1, 2), True, id="a tuple is a list"),
        pytest.param([1, 2], [1, 2, 2], False, id="a longer list"),
        pytest.param([1, 2], [2, 1], False, id="another order"),
        pytest.param(["1"], [1], False, id="a string is no number"),
        pytest.param([1.0], [1.0 + 1e-9], False, id="entries are compared exactly"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, True, id="a dict has no order"),
        pytest.param({"a": 1}, {"a": 2}, False, id="another value"),
        pytest.param({"a": 1}, {"b": 1}, False, id="another key"),
        pytest.param({}, [], False, id="a dict is no list"),
        pytest.param({1, 2}, {2, 1}, True, id="a set has no order"),
        pytest.param({1, 2}, {1}, False, id="a larger set"),
        pytest.param({1}, [1], False, id="a set is no list"),
        pytest.param("a", b"a", False, id="bytes are no string"),
    ],
)
def test_lists_and_dicts_are_the_same_if_their_entries_are(a, b, same):
    assert plain.same(plain.to_plain(a), plain.to_plain(b)) is same


def test_an_entry_that_says_it_equals_everything_is_refused():
    with pytest.raises(TypeError, match="holds a Agrees"):
        plain.to_plain([Agrees(3)])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("type", "size"), [(torch.float64, 1e-6), (torch.float32, 1e-3), (torch.bfloat16, 0.1)])
def test_every_type_has_its_own_rounding_and_so_have_negative_numbers(type, size, sign):
    one = sign * torch.ones(1, dtype=type)
    for factor, same in ((1 + size, False), (1 - size, False), (1 + size / 1000, True), (1 - size / 1000, True)):
        assert plain.same(plain.to_plain((one.double() * factor).to(type)), plain.to_plain(one)) is same


def test_whole_numbers_and_truth_values_are_compared_exactly():
    assert not plain.same(plain.to_plain(torch.tensor([10**9])), plain.to_plain(torch.tensor([10**9 + 1])))
    assert not plain.same(plain.to_plain(torch.tensor([True])), plain.to_plain(torch.tensor([1])))


def test_another_shape_is_not_the_same():
    assert not plain.same(plain.to_plain(torch.zeros(2, 3)), plain.to_plain(torch.zeros(3, 2)))


def test_a_tuple_of_tensors_keeps_its_parts_and_compares_number_by_number():
    x = (torch.tensor([1.5, 2.0]), torch.tensor([[3.0]]))
    plain_x = plain.to_plain(x)
    assert plain_x.type == "tuple of float32 (2,), float32 (1, 1)" and plain_x.values == [1.5, 2.0, 3.0]
    assert [part.shape for part in plain_x.parts] == [(2,), (1, 1)]
    assert plain.same(plain.to_plain((x[0] + 1e-7, x[1])), plain_x)
    assert plain.wrong_places(plain.to_plain((x[0], x[1] + 1)), plain_x) == [2]
    assert not plain.same(plain.to_plain((x[0], x[1][0])), plain_x)
