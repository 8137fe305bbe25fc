"""Functions as text. Oracle: the text, written out."""

import pytest

from minqwen.check import sources


def twice(x):
    """2x"""
    # a reason
    y = 2 * x
    return y


def test_a_function_falls_into_head_and_body():
    assert sources.head(twice) == 'def twice(x):\n    """2x"""'
    assert sources.body(twice) == "    # a reason\n    y = 2 * x\n    return y"


def test_an_edit_makes_another_function():
    source = sources.edited(sources.text(twice), ("2 * x", "3 * x"))
    assert sources.compiled(source, twice)(5) == 15 and twice(5) == 10


@pytest.mark.parametrize("old", ["y", "z = "])
def test_an_edit_whose_text_is_not_there_once_is_refused(old):
    with pytest.raises(ValueError, match="change the edit with it"):
        sources.edited(sources.text(twice), (old, ""))
