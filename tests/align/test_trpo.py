"""TRPO against matrices written down whole: F by torch's hessian, F⁻¹g by solving, a normal policy by its formulas."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from minqwen.align import trpo

P = 5
START = torch.tensor([0.0, -1.0], dtype=torch.float64)  # mean and log deviation


def policy(parameters):
    return Normal(parameters[0], parameters[1].exp())


def kl(parameters):
    return kl_divergence(policy(START), policy(parameters))


def gain(parameters):
    """The mean of −(a − 3)² under the policy."""
    return -((parameters[0] - 3) ** 2 + (2 * parameters[1]).exp())


def double(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_products_with_the_fisher_matrix_are_those_of_the_whole_matrix():
    fisher = torch.autograd.functional.hessian(kl, START)
    by_hand = torch.diag(torch.stack([(-2 * START[1]).exp(), torch.tensor(2.0, dtype=torch.float64)]))
    assert_close(fisher, by_hand)
    vector = double(0, 2)
    assert_close(trpo.fisher_product(kl, START, vector), fisher @ vector)
    assert not START.requires_grad


def test_conjugate_gradients_solve_a_system_in_as_many_products_as_it_has_unknowns():
    root, target, products = double(0, P, P), double(1, P), []
    matrix = root @ root.T + torch.eye(P, dtype=torch.float64)

    def product(v):
        products.append(v)
        return matrix @ v

    assert_close(trpo.conjugate_gradient(product, target, iterations=20), torch.linalg.solve(matrix, target))
    assert len(products) <= P + 2
    assert (trpo.conjugate_gradient(product, torch.zeros(P, dtype=torch.float64)) == 0).all()


def test_the_step_is_the_natural_gradient_as_long_as_the_bound_allows():
    limit = 1e-6  # so small that the quadratic picture of the divergence holds
    step = trpo.trpo_step(gain, kl, START, limit)
    start = START.clone().requires_grad_()
    [gradient] = torch.autograd.grad(gain(start), start)
    fisher = torch.autograd.functional.hessian(kl, START)
    natural = torch.linalg.solve(fisher, gradient)
    full = (2 * limit / (gradient @ natural)).sqrt() * natural
    moved = step.parameters - START
    assert_close(moved / moved.norm(), full / full.norm())
    assert any(torch.allclose(moved * 2**n, full, rtol=1e-6) for n in range(3)), "the full step, or halved"


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.5])
def test_the_true_bound_holds_and_the_gain_grows(limit):
    step = trpo.trpo_step(gain, kl, START, limit)
    assert 0.2 * limit < step.kl <= limit
    assert_close(step.gain, (gain(step.parameters) - gain(START)).item())
    assert_close(step.kl, kl(step.parameters).item())
    assert step.gain > 0


def test_the_passes_are_counted():
    calls = []

    def counted(f):
        return lambda x: (calls.append(f.__name__), f(x))[1]

    step = trpo.trpo_step(counted(gain), counted(kl), START)
    assert step.forwards == len(calls) >= 4
    assert step.backwards == 5, "gain, slope of the divergence, one for each of two unknowns, the curvature"


def test_where_nothing_can_be_gained_the_policy_stays():
    def careful(x):
        assert x.isfinite().all(), "nobody is asked about parameters that are no numbers"
        return kl(x)

    step = trpo.trpo_step(lambda x: -kl(x), careful, START)
    assert step.parameters.equal(START) and step.parameters is not START and step.gain == step.kl == 0


def test_a_step_that_would_lose_is_halved_though_the_bound_holds():
    def parabola(x):  # F = 1 and the slope is 1, so the full step is √(2 · 0.5) = 1, where much would be lost
        return (x - 50 * x.square()).sum()

    start = torch.zeros(1, dtype=torch.float64)
    step = trpo.trpo_step(parabola, lambda x: x.square().sum() / 2, start, limit=0.5)
    assert step.parameters.item() == 1 / 64 and step.gain == pytest.approx(1 / 64 - 50 / 64**2)
    assert trpo.trpo_step(parabola, lambda x: x.square().sum() / 2, start, 0.5, halvings=6).parameters == 0
    assert not step.parameters.requires_grad


def test_no_more_products_are_made_than_iterations_were_asked_for():
    assert trpo.trpo_step(gain, kl, START, iterations=1).backwards == 4, "gain, slope, one product, the curvature"


def test_a_bound_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"0\.01 is usual"):
        trpo.trpo_step(gain, kl, START, limit=0.0)
