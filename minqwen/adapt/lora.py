"""Low-rank adapters: beside a frozen matrix W two thin ones, B and A, learn what shall be added to it.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv:2106.09685), section 4.1.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def lora_forward(
    x: Float[Tensor, "*batch n"],
    weight: Float[Tensor, "m n"],
    a: Float[Tensor, "R n"],
    b: Float[Tensor, "m R"],
    scale: float,
    dropped: Float[Tensor, "*batch n"] | None = None,
) -> Float[Tensor, "*batch m"]:
    """x Wᵀ + scale · (x Aᵀ) Bᵀ; A reads `dropped`, x after dropout, if it is given, and W never does."""
    seen = x if dropped is None else dropped
    # The scale belongs to R numbers a token here; after B it would belong to m.
    return F.linear(x, weight) + F.linear(F.linear(seen, a) * scale, b)


def merged_weight(
    weight: Float[Tensor, "m n"], a: Float[Tensor, "R n"], b: Float[Tensor, "m R"], scale: float
) -> Float[Tensor, "m n"]:
    """W + scale · B A, the one matrix that does what the three do."""
    # The sum is taken in float32 for half types, and rounded once.
    wide = torch.promote_types(weight.dtype, torch.float32)
    return (weight.to(wide) + scale * (b.to(wide) @ a.to(wide))).to(weight.dtype)


class LoRALinear(nn.Module):
    """A linear layer, which `attach` freezes, its adapter, and whether that is switched on or merged.

    A is uniform in ±1/√n as in the reference code (the paper draws it normal), B is zero: at first nothing is added.
    """

    def __init__(
        self,
        base: nn.Module,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        m, n = base.out_features, base.in_features
        if not 1 <= rank <= min(m, n):
            raise ValueError(f"rank={rank} must lie between 1 and {min(m, n)}: a {m} x {n} matrix has no higher rank")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout} is the share of x that A does not see; take 0.05, or 0 for none")
        if not (math.isfinite(alpha) and alpha > 0):
            raise ValueError(f"alpha={alpha} must be finite and above 0; take twice the rank")
        weight = base.weight
        self.base, self.rank, self.alpha, self.dropout = base, rank, alpha, dropout
        a = torch.empty(rank, n, dtype=weight.dtype, device=weight.device)
        self.a = nn.Parameter(a.uniform_(-(n**-0.5), n**-0.5, generator=generator))
        self.b = nn.Parameter(torch.zeros(m, rank, dtype=weight.dtype, device=weight.device))
        self.active = True
        self.unmerged: tuple[nn.Module, ...] = ()  # the base as it was; a tuple, so that its weights are listed once

    @property
    def scale(self) -> float:
        """alpha / rank, so that a rate found for one rank serves the next."""
        return self.alpha / self.rank

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        """`lora_forward`, and the layer's bias if it has one; the layer alone if merged or switched off."""
        if self.unmerged or not self.active:
            return self.base(x)
        return self.adapted(x, self.base.weight)

    def adapted(self, x: Float[Tensor, "*batch n"], weight: Float[Tensor, "m n"]) -> Float[Tensor, "*batch m"]:
        """The layer with its adapter, its weight given."""
        dropped = F.dropout(x, self.dropout) if self.training and self.dropout else None
        y = lora_forward(x, weight, self.a, self.b, self.scale, dropped)
        return y if self.base.bias is None else y + self.base.bias

    @torch.no_grad()
    def merge(self) -> None:
        """Put one matrix in the place of three; the old one is kept, not computed back."""
        if self.unmerged:
            raise ValueError("the adapter is merged already, and would be added twice; unmerge first")
        weight = merged_weight(self.base.weight, self.a, self.b, self.scale)
        if not weight.isfinite().all():
            raise ValueError("the merged weight is not finite, so nothing was merged; go back to an earlier adapter")
        m, n = weight.shape
        merged = nn.Linear(n, m, bias=False, device="meta")
        merged.weight, merged.bias = nn.Parameter(weight, requires_grad=False), self.base.bias
        self.unmerged, self.base = (self.base,), merged

    def unmerge(self) -> None:
        """The layer as it was before `merge`, bit for bit: the same tensor, tied to what it was tied to."""
        if not self.unmerged:
            raise ValueError("the adapter is not merged; merge first")
        [self.base], self.unmerged = self.unmerged, ()


def add_lora(
    model: nn.Module,
    pattern: str,
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Freeze the model and put an adapter beside every `nn.Linear` in whose name the pattern is found; their names.

    The pattern is a regular expression, such as "[qv]_proj" or "layers.2[0-9].*proj".
    """
    names = matching(model, pattern)
    attach(model, {name: LoRALinear(model.get_submodule(name), rank, alpha, dropout, generator) for name in names})
    return names


def attach(model: nn.Module, layers: dict[str, LoRALinear]) -> None:
    """Put these layers in the place of those of the same name; from then on nothing but adapters learns."""
    for name, layer in layers.items():
        layer.train(model.training)
        model.set_submodule(name, layer)
    model.requires_grad_(False)
    for layer in adapters(model).values():
        layer.a.requires_grad_(True), layer.b.requires_grad_(True)


def matching(model: nn.Module, pattern: str) -> list[str]:
    """The names of the linear layers in which the pattern is found; ValueError if there is none to adapt."""
    inside = tuple(f"{name}." for name in adapters(model))
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression ({error}); put a backslash before [ ( or *") from error
    linear = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    found = [name for name in linear if re.search(pattern, name)]
    taken = [name for name in found if name.startswith(inside)]
    if not found:
        last = sorted({name.removesuffix(".base").rpartition(".")[2] for name in linear})
        raise ValueError(f"no linear layer has {pattern!r} in its name; their last parts are {', '.join(last)}")
    if taken:
        raise ValueError(f"{taken[0].removesuffix('.base')} has an adapter already; narrow the pattern {pattern!r}")
    return found


def adapters(model: nn.Module) -> dict[str, LoRALinear]:
    """The adapted layers by name."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoRALinear)}


def merge(model: nn.Module) -> None:
    """Merge every adapter: the model computes the same, at the speed of the plain one."""
    done = []
    try:
        for layer in _every(model):
            layer.merge()
            done.append(layer)
    except ValueError:
        for layer in done:
            layer.unmerge()
        raise


def unmerge(model: nn.Module) -> None:
    """Undo `merge`, bit for bit."""
    layers = _every(model)
    if not all(layer.unmerged for layer in layers):
        raise ValueError("not every adapter is merged; merge first")
    for layer in layers:
        layer.unmerge()


@contextmanager
def switched_off(model: nn.Module) -> Iterator[None]:
    """Inside the block the model is exactly what it was without its adapters."""
    layers = _every(model)
    if any(layer.unmerged for layer in layers):
        raise ValueError("a merged adapter cannot be switched off; unmerge first")
    before = [layer.active for layer in layers]
    try:
        for layer in layers:
            layer.active = False
        yield
    finally:
        for layer, active in zip(layers, before):
            layer.active = active


def _every(model: nn.Module) -> list[LoRALinear]:
    layers = list(adapters(model).values())
    if not layers:
        raise ValueError("the model has no adapter; call add_lora first")
    return layers
