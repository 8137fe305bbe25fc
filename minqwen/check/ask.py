"""One call of the answer: what came back, as plain data, or what went wrong, in words.

Everything that a learner's function may do is met here: it may raise, exit, print, change what it was given, hand it
back, or change torch's settings. Only an interrupt from the keyboard gets through, and leaves all as it was.
"""

import copy
import inspect
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minqwen.check import guard, plain, shapes
from minqwen.check.exercise import Exercise
from minqwen.check.parts import Case

_storage, _needs_grad = Tensor.untyped_storage, torch._C.TensorBase.requires_grad.__get__
_version = torch._C.TensorBase._version.__get__  # counts what was written into a tensor, also the same numbers again


@dataclass(frozen=True)
class Reply:
    """What one call gave. `fault` says why it cannot be right whatever its numbers, and `kind` the same in a word."""

    raw: plain.Plain | None = None
    value: plain.Plain | None = None
    kind: str = ""
    fault: str = ""
    printed: str = ""


class _FirstLines(StringIO):
    """A stdout that remembers the beginning of what is printed, and no more."""

    def write(self, text: str) -> int:
        return super().write(text) if self.tell() < 400 else len(text)


@contextmanager
def _quiet(printed: StringIO) -> Iterator[None]:
    with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings(action="ignore"):
        yield


def ask(answer: Callable[..., Any], case: Case, exercise: Exercise, guarded: bool = True) -> Reply:
    """Call the answer on copies of the case's arguments."""
    given = {name: _copy(x, name in (*case.gradients, case.slope)) for name, x in case.args.items()}
    closed = guard.closed(exercise.closed, exercise.twins) if guarded else nullcontext()
    printed = _FirstLines()
    try:
        with guard.own_settings(), closed, _quiet(printed):
            result = answer(*given.values())
    except KeyboardInterrupt:
        print(f"Stopped in this case: {_in_short(case)}")
        raise
    except BaseException as error:  # SystemExit too: exit() in an answer must not end the kernel
        return Reply(kind=type(error).__name__, fault=_in_words(error, answer), printed=printed.getvalue())
    return _judge(result, given, case, exercise, printed.getvalue())


def _judge(result: Any, given: dict[str, Any], case: Case, exercise: Exercise, printed: str) -> Reply:
    try:
        raw = plain.to_plain(result)
    except TypeError as error:
        return Reply(kind="type", fault=f"it {error}", printed=printed)
    for name, before in case.args.items():
        may_change = name in exercise.changes or not isinstance(before, Tensor | np.ndarray | list | set | dict | tuple)
        if not may_change and _changed(given[name], before):
            new = type(before).__name__.lower().removeprefix("nd")
            also = " and returned it" if _shares(result, given[name]) else ""
            fault = f"it changed its argument {name} in place{also}; the caller still needs {name}: take a new {new}"
            return Reply(raw, kind=f"changed {name}", fault=fault, printed=printed)
    for name, x in given.items():
        if not exercise.may_view and _shares(result, x):
            fault = f"it returned its argument {name}, or a view of it; return a new one"
            return Reply(raw, kind=f"view of {name}", fault=fault, printed=printed)
    learning = [name for name in (*case.gradients, case.slope) if name]
    for name in learning:
        if not _needs_grad(given[name]):
            fault = f"it switched gradients off for its argument {name} itself; take {name}.detach(), a new tensor"
            return Reply(raw, kind=f"detached {name}", fault=fault, printed=printed)
    if not learning and type(result) is Tensor and _needs_grad(result):
        fault = "its result asks for gradients though no argument does; return a plain tensor, without requires_grad"
        return Reply(raw, kind="requires_grad", fault=fault, printed=printed)
    fault = shapes.fault(raw, case.whole, exercise.axes) if case.whole else ""
    if fault:
        return Reply(raw, kind="shape", fault=fault, printed=printed)
    seen = given[case.of] if case.of else result
    seen = case.read(seen) if case.read else seen
    if case.gradients:
        seen = torch.tensor([_reached(seen, given[name]) for name in case.gradients])
    if case.slope:
        seen = _slope(seen[0] if isinstance(seen, tuple) else seen, given[case.slope])
    return Reply(raw, plain.to_plain(seen), printed=printed)


def _changed(after: Any, before: Tensor | np.ndarray | list | set | dict | tuple) -> bool:
    if not isinstance(before, Tensor | np.ndarray | tuple):
        return after != before
    if isinstance(before, Tensor) and (type(after) is not Tensor or _version(after) > 0):
        return True
    return repr(plain.to_plain(after)) != repr(plain.to_plain(before))  # by their text NaN and NaN are the same


def _shares(result: Any, x: Any) -> bool:
    if type(result) is np.ndarray and type(x) is np.ndarray:
        return np.shares_memory(result, x)
    both = type(result) is Tensor and type(x) is Tensor
    return both and _storage(x).data_ptr() == _storage(result).data_ptr()


def _in_short(case: Case) -> str:
    return ", ".join(f"{n} {tuple(x.shape)}" if isinstance(x, Tensor) else f"{n} = {x}" for n, x in case.args.items())


def _copy(x: Any, needs_grad: bool) -> Any:
    return x.clone().requires_grad_(needs_grad) if isinstance(x, Tensor) else copy.deepcopy(x)


def _reached(result: Any, x: Tensor) -> bool:
    parts = [part for part in (result if isinstance(result, tuple) else [result]) if type(part) is Tensor]
    if not any(map(_needs_grad, parts)):
        return False
    (gradient,) = torch.autograd.grad(sum(part.sum() for part in parts), x, allow_unused=True, retain_graph=True)
    return gradient is not None and any(value != 0 for value in plain.to_plain(gradient).values)


def _slope(result: Tensor, x: Tensor) -> Tensor:
    found = torch.autograd.grad(result.sum(), x, allow_unused=True)[0] if _needs_grad(result) else None
    return torch.zeros_like(x) if found is None else found


def _in_words(error: BaseException, answer: Callable[..., Any]) -> str:
    if isinstance(error, guard.WriteItYourself):
        return f"it borrowed the answer; {error}"
    if isinstance(error, SystemExit):
        return "it tried to end Python (exit() or sys.exit()); let it return its result"
    message = (str(error).splitlines() or [""])[0]
    code = getattr(inspect.unwrap(answer), "__code__", None)
    file = getattr(code, "co_filename", None)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f"\n    line {lines[-1].lineno}:  {lines[-1].line}" if lines else ""
    return f"it raised {type(error).__name__}: {message}{where}"
