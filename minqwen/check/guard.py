"""While an answer runs, the functions that would do the exercise for it refuse: "write it yourself".

A library function may have been imported under any name before, so its code object is swapped for one that raises:
every alias meets it. Torch's ready-made twins are built in; a TorchFunctionMode sees each call of them.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class WriteItYourself(Exception):  # noqa: N818 - the sentence that a learner reads
    """The answer called the function that the exercise asks for."""


@contextmanager
def closed(functions: Iterable[Callable[..., Any]], twins: Iterable[Callable[..., Any]]) -> Iterator[None]:
    """Inside the block each of these functions raises WriteItYourself, by whatever name it is called."""
    bare = [inspect.unwrap(function) for function in functions]
    codes = [function.__code__ for function in bare]
    try:
        for function in bare:
            function.__code__ = _refusal(f"{function.__module__}.{function.__name__}")
        with _RefuseTwins(twins):
            yield
    finally:
        for function, code in zip(bare, codes):
            function.__code__ = code


def _refusal(name: str) -> Any:
    # The code runs among the globals of the function that it replaces, so it brings its own import.
    namespace: dict[str, Any] = {}
    source = (
        "def refuse(*args, **kwargs):\n"
        "    from minqwen.check.guard import WriteItYourself\n"
        f"    raise WriteItYourself('write it yourself: {name} does what this exercise asks for')\n"
    )
    exec(source, namespace)
    return namespace["refuse"].__code__


class _RefuseTwins(TorchFunctionMode):
    def __init__(self, twins: Iterable[Callable[..., Any]]):
        super().__init__()
        self.twins = tuple(twins)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.twins:
            raise WriteItYourself(f"write it yourself: torch's {func.__name__} does what this exercise asks for")
        return func(*args, **(kwargs or {}))


@contextmanager
def settings_kept() -> Iterator[None]:
    """Torch's random state, default dtype and gradient mode are afterwards what they were before."""
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)
