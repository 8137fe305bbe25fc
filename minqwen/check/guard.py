"""While an answer runs, the functions that would do the exercise for it refuse: "write it yourself".

A library function may have been imported under any name before, so its code object is swapped for one that raises: the
function refuses by whatever name it is called. A copy of its code, made before, does not. Torch's ready-made twins are
built in; a TorchFunctionMode sees each call of them, but for those in another thread.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class WriteItYourself(Exception):  # noqa: N818 - the sentence that a learner reads
    """The answer called the function that the exercise asks for."""


def bare(functions: Iterable[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The functions without wrappers, and what their modules hold by these names now: reloading makes new functions."""
    found = []
    for function in functions:
        new = getattr(sys.modules.get(function.__module__), function.__name__, function)
        # What `using` has put there belongs to another module, and is the learner's own.
        ours = [f for f in (function, new) if getattr(f, "__module__", None) == function.__module__]
        found += [f for f in map(inspect.unwrap, ours) if f not in found]
    return found


@contextmanager
def closed(functions: Iterable[Callable[..., Any]], twins: Iterable[Callable[..., Any]]) -> Iterator[None]:
    """Inside the block each of these functions raises WriteItYourself, by whatever name it is called."""
    functions = tuple(functions)
    before = bare(functions)
    codes = [function.__code__ for function in before]
    try:
        for function in before:
            function.__code__ = _refusal(f"{function.__module__}.{function.__name__}")
        with _RefuseTwins(twins):
            yield
        if bare(functions) != before:
            raise WriteItYourself("write it yourself: it loaded a module of the library again")
    finally:
        for function, code in zip(before, codes):
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
    """Twins are known by name: torch.ops.aten has each again, as `name` and as `name.default`."""

    def __init__(self, twins: Iterable[Callable[..., Any]]):
        super().__init__()
        self.names = {twin.__name__ for twin in twins}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").split(".")[0]
        if name in self.names:
            raise WriteItYourself(f"write it yourself: torch's {name} does what this exercise asks for")
        return func(*args, **(kwargs or {}))


@contextmanager
def own_settings() -> Iterator[None]:
    """Inside the block torch is as exercises assume it: gradients on, numbers float32 and on the cpu.

    After it these settings, and the random state, are what they were before, whatever the block did to them.
    """
    dtype = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"):
        try:
            torch.set_default_dtype(torch.float32)
            yield
        finally:
            torch.set_default_dtype(dtype)
