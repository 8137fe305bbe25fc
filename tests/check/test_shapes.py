"""Words for types and shapes. Oracle: the words, written out."""

import numpy as np
import pytest
import torch

from minqwen.check import plain, shapes

TD = ("T", "D")


@pytest.mark.parametrize(
    ("yours", "expected", "axes", "words"),
    [
        pytest.param(torch.zeros(2, 3), torch.zeros(2, 3), TD, "", id="right"),
        pytest.param(1, torch.zeros(2, 3), TD, "you returned the number 1, but a tensor of shape (2, 3)", id="number"),
        pytest.param(True, torch.zeros(2), (), "you returned the truth value True", id="truth value"),
        pytest.param(torch.zeros(1), 1.0, (), "you returned a tensor of shape (1,), but a plain number", id="tensor"),
        pytest.param(
            torch.zeros(2, 5), torch.zeros(2, 3), TD, "its shape is (2, 5), but (2, 3) is expected", id="size"
        ),
        pytest.param(torch.zeros(3, 2), torch.zeros(2, 3), TD, ": that is (D, T), and it should be (T, D)", id="named"),
        pytest.param(torch.zeros(3, 2), torch.zeros(2, 3), ("D",), ": the same sizes in another order", id="unnamed"),
        pytest.param(torch.zeros(3, 2, 2), torch.zeros(2, 2, 3), ("H", *TD), ": the same sizes", id="which of two"),
        pytest.param([1], torch.zeros(2), (), "you returned a list, but a tensor of shape (2,) is exp", id="list"),
        pytest.param(torch.zeros(2), [1], (), "you returned a tensor of shape (2,), but a list is", id="no list"),
        pytest.param([1], {1: 2}, (), "you returned a list, but a dict is expected", id="no dict"),
        pytest.param(3, "a", (), "you returned the number 3, but a string is expected", id="no string"),
        pytest.param([1], {1}, (), "you returned a list, but a set is expected", id="no set"),
        pytest.param(
            torch.zeros(2), np.zeros(2), (), "you returned a tensor of shape (2,), but an array of", id="no array"
        ),
        pytest.param(np.zeros(3), np.zeros(2), (), "its shape is (3,), but (2,) is expected", id="array"),
        pytest.param(
            np.zeros(2), np.zeros(2, np.uint32), (), "its type is float64, but uint32 is expected", id="array type"
        ),
        pytest.param([1], [1, 2], (), "", id="a list of another length is told by its entries"),
        pytest.param(
            (torch.zeros(2), torch.zeros(1, 3)),
            (torch.zeros(2), torch.zeros(3)),
            (),
            "in entry [1], its shape is (1, 3), but (3,) is expected",
            id="one of two shapes",
        ),
        pytest.param(
            (torch.zeros(2), torch.zeros(3)), (torch.zeros(2).byte(), torch.zeros(3)), (), "in entry [0], its type is"
        ),
        pytest.param((torch.zeros(2),), (torch.zeros(2),) * 2, (), "you returned a tuple of float32 (2,), but a tuple"),
        pytest.param(torch.zeros(2).bool(), torch.zeros(2), (), "its type is bool, but float32 is expected", id="type"),
    ],
)
def test_shape_and_type_are_told_in_words(yours, expected, axes, words):
    fault = shapes.fault(plain.to_plain(yours), plain.to_plain(expected), axes)
    assert words in fault and bool(words) == bool(fault)
