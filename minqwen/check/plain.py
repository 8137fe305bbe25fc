"""Results as plain data, and their comparison, in a way that the compared things cannot influence.

A class may define `==` so that it is always true, and `torch.allclose` may be replaced by `lambda *_: True`. So
nothing here asks a result about itself: it must be exactly a tensor or a number of Python's, its numbers are taken out
by methods of torch that were looked up when this module was imported, and they are compared as Python floats.
"""

from dataclasses import dataclass
from math import isinf, isnan
from typing import Any

import torch
from torch import Tensor

_detach, _reshape, _tolist, _size = Tensor.detach, Tensor.reshape, Tensor.tolist, Tensor.size
_get_dtype = torch._C.TensorBase.dtype.__get__
_get_device, _get_layout = torch._C.TensorBase.device.__get__, torch._C.TensorBase.layout.__get__

# Relative and absolute tolerance. Sums in another order move the last digit or two, mistakes move the first.
TOLERANCES = {"float64": 1e-8, "float32": 1e-5, "float16": 1e-2, "bfloat16": 2e-2, "float": 1e-6}


@dataclass(frozen=True)
class Plain:
    """A tensor or number as its type, its shape and a flat list of Python numbers."""

    type: str
    shape: tuple[int, ...] | None
    values: list


def to_plain(x: Any) -> Plain:
    """The numbers of x; TypeError, in words for the learner, if x is no plain tensor and no plain number."""
    if type(x) is Tensor:
        if _get_device(x).type != "cpu" or _get_layout(x) is not torch.strided:
            raise TypeError(
                f"returned a tensor on {_get_device(x)}, {_get_layout(x)}; an ordinary one on cpu is wanted"
            )
        name = str(_get_dtype(x)).removeprefix("torch.")
        return Plain(name, tuple(_size(x)), _tolist(_reshape(_detach(x), (-1,))))
    if type(x) in (bool, int, float):
        return Plain(type(x).__name__, None, [x])
    if x is None:
        raise TypeError("returned None: is the return missing?")
    kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
    raise TypeError(f"returned a {kind}; a plain torch.Tensor (or number) is wanted")


def same(actual: Plain, expected: Plain) -> bool:
    """Whether type and shape agree, and every number up to rounding."""
    return (actual.type, actual.shape) == (expected.type, expected.shape) and not wrong_places(actual, expected)


def wrong_places(actual: Plain, expected: Plain) -> list[int]:
    """Where the flat lists of two results of one shape differ by more than rounding."""
    tolerance = TOLERANCES.get(expected.type, 0.0)
    pairs = zip(actual.values, expected.values)
    return [i for i, (a, e) in enumerate(pairs) if not _close(a, e, tolerance)]


def _close(a: float | int, e: float | int, tolerance: float) -> bool:
    if isinstance(e, float) and (isnan(e) or isinf(e) or isnan(a) or isinf(a)):
        return a == e or (isnan(a) and isnan(e))
    margin = tolerance * (1 + (e if e > 0 else -e))
    return -margin <= a - e <= margin
