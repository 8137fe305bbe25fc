"""Random inputs. Oracle: what their docstrings promise, counted."""

import pytest
import torch

from minqwen.check import draw

T, S = 3, 7


@pytest.fixture(params=range(20))
def rng(request):
    return torch.Generator().manual_seed(request.param)


@pytest.mark.parametrize("shape", [(T, S), (T, 2), (2, 5, T, S)])
def test_every_query_may_see_a_key_and_not_another(rng, shape):
    mask = draw.mask(rng, *shape)
    assert mask.shape == shape and mask.dtype == torch.bool
    assert mask.any(dim=-1).all() and not mask.all(dim=-1).any()


def test_a_single_key_may_be_seen(rng):
    assert draw.mask(rng, T, 1).all()


def test_sizes_are_different_primes(rng):
    sizes = draw.sizes(rng, 4)
    assert len(set(sizes)) == 4 and set(sizes) < set(draw.PRIMES)
