"""Trust region policy optimisation: the best step inside a bound on how far the policy may move, and what it costs.

Schulman et al. 2015 (arXiv:1502.05477), section 6 and appendix C: maximise g·x under ½ x·F x ≤ δ, with F the second
derivative of KL(old ‖ new), by conjugate gradients, then shorten the step until the true bound holds.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Vector = Float[Tensor, " P"]


class Step(NamedTuple):
    """Parameters after the step, how far the policy moved, what it is expected to gain, and the passes it took."""

    parameters: Float[Tensor, " P"]
    kl: float
    gain: float
    forwards: int
    backwards: int


def fisher_product(kl: Callable[[Tensor], Tensor], parameters: Vector, vector: Vector) -> Vector:
    """F v = ∇(∇KL · v), without ever writing down F, which has P² entries."""
    parameters = parameters.detach().requires_grad_()
    [gradient] = torch.autograd.grad(kl(parameters), parameters, create_graph=True)
    return torch.autograd.grad(gradient @ vector, parameters)[0]


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Vector, iterations: int = 10) -> Vector:
    """The x with F x = target, from products F v alone: exact after as many iterations as F has different eigenvalues.

    Hestenes and Stiefel 1952, https://doi.org/10.6028/jres.049.044.
    """
    x, residual = torch.zeros_like(target), target.clone()
    direction, left = target.clone(), target @ target
    for _ in range(iterations):
        if left < 1e-20:
            break
        turned = product(direction)
        length = left / (direction @ turned)
        x, residual = x + length * direction, residual - length * turned
        before, left = left, residual @ residual
        direction = residual + left / before * direction
    return x


def trpo_step(
    gain: Callable[[Tensor], Tensor],
    kl: Callable[[Tensor], Tensor],
    parameters: Vector,
    limit: float = 0.01,
    iterations: int = 10,
    halvings: int = 10,
) -> Step:
    """θ + √(2δ / x·Fx) x with F x = ∇gain, halved until KL ≤ δ and the gain is positive; otherwise θ stays.

    `gain` is the mean of ρ A, `kl` that of KL(old ‖ new); both read a vector of all parameters.
    """
    if limit <= 0:
        raise ValueError(f"limit={limit} forbids every step; 0.01 is usual")
    counted = _Counted(gain, kl)
    start = parameters.detach().requires_grad_()
    at_start = counted.gain(start)
    [gradient] = counted.backward(at_start, start)
    [slope] = counted.backward(counted.kl(start), start, create_graph=True)  # kept for every product with F

    def product(vector: Tensor) -> Tensor:
        return counted.backward(slope @ vector, start, retain_graph=True)[0]

    direction = conjugate_gradient(product, gradient, iterations)
    curvature = direction @ product(direction)
    with torch.no_grad():
        full = (2 * limit / curvature).sqrt() * direction if curvature > 0 else torch.zeros_like(direction)
        for halving in range(halvings):
            new = start + full / 2**halving
            moved, gained = counted.kl(new).item(), (counted.gain(new) - at_start).item()
            if moved <= limit and gained > 0:
                return Step(new, moved, gained, counted.forwards, counted.backwards)
    return Step(parameters.detach().clone(), 0.0, 0.0, counted.forwards, counted.backwards)


class _Counted:
    """Both functions and their derivatives, with a tally of the passes."""

    def __init__(self, gain: Callable[[Tensor], Tensor], kl: Callable[[Tensor], Tensor]):
        self._gain, self._kl = gain, kl
        self.forwards = self.backwards = 0

    def gain(self, at: Tensor) -> Tensor:
        self.forwards += 1
        return self._gain(at)

    def kl(self, at: Tensor) -> Tensor:
        self.forwards += 1
        return self._kl(at)

    def backward(self, of: Tensor, by: Tensor, **options: bool) -> tuple[Tensor, ...]:
        self.backwards += 1
        return torch.autograd.grad(of, by, **options)
