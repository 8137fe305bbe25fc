"""Random inputs for exercises: small, and every size another prime, so that two swapped axes cannot fit by luck."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minqwen.check.parts import Case, Test

PRIMES = (2, 3, 5, 7, 11)
DOUBLE, BOTH = (torch.float64,), (torch.float64, torch.bfloat16)


def sizes(rng: torch.Generator, n: int) -> list[int]:
    """n different primes in random order."""
    order = torch.randperm(len(PRIMES), generator=rng).tolist()
    return [PRIMES[i] for i in order[:n]]


def normal(rng: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64).to(dtype)


def mask(rng: torch.Generator, *shape: int) -> Tensor:
    """A random mask; every query may attend to at least one key, and may not to at least one if there are two."""
    allowed = torch.rand(*shape, generator=rng) < 0.5
    order = torch.rand(*shape, generator=rng).argsort(dim=-1)
    allowed.scatter_(-1, order[..., :1], True)
    return allowed.scatter_(-1, order[..., 1:2], False) if shape[-1] > 1 else allowed


def _nothing_of(out: Any) -> Tensor:
    return (out[0] if isinstance(out, tuple) else out).flatten()[:0]


def gradients(title: str, names: tuple[str, ...], args: Callable[[torch.Generator], dict[str, Any]]) -> Test:
    """The test that a gradient arrives at each of these arguments: a result cut off from them cannot be trained."""

    def draw(rng: torch.Generator) -> list[Case]:
        reads = f"whether a gradient reaches {', '.join(names)}"
        return [Case(args(rng), torch.tensor([True] * len(names)), gradients=names, reads=reads)]

    return Test(title, draw)


def slopes(title: str, names: tuple[str, ...], args: Callable[[torch.Generator], dict[str, Any]], by_hand: Any) -> Test:
    """The test that the gradient at each of these arguments is the one that `by_hand(**args)` works out."""

    def draw(rng: torch.Generator) -> list[Case]:
        given = args(rng)
        wanted = by_hand(**given)
        reads = [f"the gradient of the result's sum at {name}" for name in names]
        return [Case(given, wanted[name], slope=name, reads=each) for name, each in zip(names, reads)]

    return Test(title, draw)


def by_differences(oracle: Callable[..., Tensor], *names: str, h: float = 1e-4) -> Callable[..., dict[str, Tensor]]:
    """The gradients of the oracle's sum at these arguments for `slopes`, (f(x + h) − f(x − h)) / 2h in float64."""

    def by_hand(**given: Tensor) -> dict[str, Tensor]:
        wide, found = {name: x.double() for name, x in given.items()}, {}
        for name in names:
            x = wide[name]
            steps = h * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
            sums = [[oracle(**{**wide, name: at}).sum() for at in (x + step, x - step)] for step in steps]
            found[name] = torch.tensor([above - below for above, below in sums]).view(x.shape) / (2 * h)
        return {name: gradient.to(given[name].dtype) for name, gradient in found.items()}

    return by_hand


def types(
    title: str, names: tuple[str, ...], args: Callable[[torch.Generator], dict[str, Any]], dtypes: tuple = BOTH
) -> Test:
    """The test that the result has the type of these arguments, whatever its numbers."""

    def draw(rng: torch.Generator) -> list[Case]:
        cases = []
        for dtype in dtypes:
            given = args(rng)
            given |= {name: given[name].to(dtype) for name in names}
            nothing, reads = torch.empty(0, dtype=dtype), "the type of the result"
            cases.append(Case(given, nothing, read=_nothing_of, reads=reads))
        return cases

    return Test(title, draw)
