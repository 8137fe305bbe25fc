"""Importance sampling: what a sample of the old policy says about the new one, and how little that soon is.

Kahn and Marshall 1953 (https://doi.org/10.1287/opre.1.5.263); the number of samples that are left, Kish 1965, as in
Owen 2013, "Monte Carlo theory, methods and examples", section 9.3, https://artowen.su.domains/mc/.
"""

from jaxtyping import Float
from torch import Tensor


def expectation(log_ratio: Float[Tensor, " N"], values: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """mean ρ f with ρ = exp(log p_new − log p_old), for samples of p_old: without bias the mean of f under p_new."""
    return (log_ratio.exp() * values).mean()


def effective_size(log_ratio: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """(Σ ρ)² / Σ ρ²: so many samples of the new policy would tell as much; N where old and new agree."""
    # A common factor changes nothing, so the largest ratio may be 1 and nothing overflows.
    ratio = (log_ratio - log_ratio.max()).exp()
    return ratio.sum().square() / ratio.square().sum()
