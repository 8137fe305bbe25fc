"""Results as plain data, and their comparison, in a way that the compared things cannot influence.

A class may define `==` so that it is always true, and `torch.allclose` may be replaced by `lambda *_: True`. So
nothing here asks a result about itself: it must be exactly a tensor, an array, or a number, string, list, set or dict
of Python's; its numbers are taken out by methods that were looked up when this module was imported, and they are
compared as Python floats.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import isinf, isnan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minqwen.tokenizer import Tokenizer

_detach, _reshape, _tolist, _size = Tensor.detach, Tensor.reshape, Tensor.tolist, Tensor.size
_get_dtype = torch._C.TensorBase.dtype.__get__
_get_device, _get_layout = torch._C.TensorBase.device.__get__, torch._C.TensorBase.layout.__get__

# Relative and absolute tolerance. Sums in another order move the last digit or two, mistakes move the first.
TOLERANCES = {"float64": 1e-8, "float32": 1e-5, "float16": 1e-2, "bfloat16": 2e-2, "float": 1e-6}
SETS = (set, frozenset)
COLLECTIONS = (list, tuple, *SETS, dict, Counter, defaultdict)
ARRAY, TENSORS = "array of ", "tuple of "
_array_to_list, _array_dtype = np.ndarray.tolist, np.ndarray.dtype.__get__
_array_shape, _array_flat = np.ndarray.shape.__get__, np.ndarray.ravel


@dataclass(frozen=True)
class Plain:
    """A tensor or number as its type, its shape and a flat list of Python numbers.

    A tuple of tensors has the numbers of all in one list, and each by itself as `parts`.

    A NumPy array says so in its type. A list, a tuple too, has its entries as values, a set its own in order, a dict
    its (key, value) pairs in order, a string itself; they have no shape.
    """

    type: str
    shape: tuple[int, ...] | None
    values: list
    parts: tuple["Plain", ...] = ()

    @property
    def tolerance(self) -> float:
        """How far numbers of this type may be apart, as a share: 0 for whole numbers and words."""
        return max(TOLERANCES.get(part.type.removeprefix(ARRAY), 0.0) for part in self.parts or (self,))


def to_plain(x: Any) -> Plain:
    """The numbers of x; TypeError, in words for the learner, if x is no plain tensor, number, string, list or dict."""
    if type(x) is Tensor:
        if _get_device(x).type != "cpu" or _get_layout(x) is not torch.strided:
            raise TypeError(
                f"returned a tensor on {_get_device(x)}, {_get_layout(x)}; an ordinary one on cpu is wanted"
            )
        name = str(_get_dtype(x)).removeprefix("torch.")
        return Plain(name, tuple(_size(x)), _tolist(_reshape(_detach(x), (-1,))))
    if type(x) in (bool, int, float):
        return Plain(type(x).__name__, None, [x])
    if type(x) in (str, bytes):
        return Plain(type(x).__name__, None, [x])
    if type(x) is np.ndarray and _array_dtype(x).kind in "biuf":
        return Plain(ARRAY + str(_array_dtype(x)), _array_shape(x), _array_to_list(_array_flat(x)))
    if isinstance(x, tuple) and len(x) and all(type(value) is Tensor for value in tuple.__iter__(x)):
        parts = tuple(to_plain(value) for value in tuple.__iter__(x))
        kind = ", ".join(f"{part.type} {part.shape}" for part in parts)
        return Plain(f"{TENSORS}{kind}", None, [value for part in parts for value in part.values], parts)
    if isinstance(x, tuple) and any(type(value) is Tensor for value in tuple.__iter__(x)):
        kinds = ", ".join(type(value).__name__ for value in tuple.__iter__(x))
        raise TypeError(f"returned a tuple of {kinds}; each of its entries shall be a tensor")
    if type(x) in COLLECTIONS or isinstance(x, tuple):
        return _collection(x)
    if type(x) is torch.Generator:  # as an argument
        return Plain("generator", None, [x.initial_seed()])
    if type(x) is Tokenizer:  # as an argument
        return Plain("tokenizer", None, [f"{x.vocab_size} tokens"])
    if x is None:
        raise TypeError("returned None: is the return missing?")
    kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
    if isinstance(x, np.generic):
        raise TypeError(
            f"returned a {kind}, one entry of NumPy's; return a whole array, or int(...) or float(...) of it"
        )
    raise TypeError(f"returned a {kind}; a plain torch.Tensor (or number) is wanted")


def _collection(x: Any) -> Plain:
    try:
        if type(x) is list or isinstance(x, tuple):  # also one whose entries have names
            return Plain("list", None, [_entry(value) for value in (x if type(x) is list else tuple.__iter__(x))])
        if type(x) in SETS:
            return Plain("set", None, sorted((_entry(value) for value in x), key=repr))
        return Plain("dict", None, sorted((_entry(pair) for pair in dict.items(x)), key=repr))
    except RecursionError:
        raise TypeError("returned a list or dict that holds itself") from None


def _entry(x: Any) -> Any:
    """What stands in a list or a dict: a string or a number, or again a list, here a tuple, or a dict, its pairs."""
    if type(x) in (bool, int, float, str, bytes) or x is None:
        return x
    if type(x) in COLLECTIONS or isinstance(x, tuple) or type(x) is np.ndarray:
        return tuple(to_plain(x).values)
    if isinstance(x, np.integer | np.floating):
        raise TypeError(f"returned a collection that holds a {type(x).__qualname__} of NumPy; take int(...) of it")
    raise TypeError(f"returned a list or dict that holds a {type(x).__qualname__}; plain numbers or strings are wanted")


def same(actual: Plain, expected: Plain) -> bool:
    """Whether type, shape and length agree, and every number up to rounding."""
    kind = (actual.type, actual.shape, len(actual.values))
    return kind == (expected.type, expected.shape, len(expected.values)) and not wrong_places(actual, expected)


def wrong_places(actual: Plain, expected: Plain) -> list[int]:
    """Where the flat lists of two results of one shape differ by more than rounding."""
    pairs = zip(actual.values, expected.values)
    return [i for i, (a, e) in enumerate(pairs) if not _close(a, e, expected.tolerance)]


def _close(a: Any, e: Any, tolerance: float) -> bool:
    if not {type(a), type(e)} <= {bool, int, float}:
        return type(a) is type(e) and a == e
    if isinstance(e, float) and (isnan(e) or isinf(e) or isnan(a) or isinf(a)):
        return a == e or (isnan(a) and isnan(e))
    margin = tolerance * (1 + (e if e > 0 else -e))
    return -margin <= a - e <= margin
