"""Closed functions. Oracle: the functions themselves, before and after."""

import inspect

import pytest
import torch
from torch.nn import functional as F

from minqwen.check import guard
from minqwen.model import attention

q = torch.ones(2, 3)


def test_a_closed_function_refuses_under_every_name_and_opens_again():
    alias, before = attention.causal_mask, attention.causal_mask(2, 3)
    with guard.closed([attention.causal_mask], []):
        for call in (alias, attention.causal_mask, inspect.unwrap(alias)):
            with pytest.raises(guard.WriteItYourself, match=r"write it yourself: minqwen.model.attention.causal_mask"):
                call(2, 3)
    assert attention.causal_mask(2, 3).equal(before)


@pytest.mark.parametrize("alias", [F.scaled_dot_product_attention, torch.ops.aten.scaled_dot_product_attention])
def test_a_torch_function_is_closed_however_it_was_imported(alias):
    with guard.closed([], [F.scaled_dot_product_attention]):
        with pytest.raises(guard.WriteItYourself, match="torch's scaled_dot_product_attention"):
            alias(q, q, q)
        assert q.sum() == 6
    assert alias(q, q, q).shape == (2, 3)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_it_opens_again_on_any_end(error):
    with pytest.raises(error), guard.closed([attention.causal_mask], [F.softmax]):
        raise error
    assert attention.causal_mask(1, 1).item() is True and F.softmax(q, -1).shape == (2, 3)


def test_closing_twice_opens_once_at_the_end():
    with guard.closed([attention.causal_mask], []):
        with guard.closed([attention.causal_mask], []):
            pass
        with pytest.raises(guard.WriteItYourself):
            attention.causal_mask(2, 2)
    assert attention.causal_mask(2, 2).sum() == 3


def test_torchs_settings_are_what_they_were_whatever_the_block_did():
    state = torch.get_rng_state()
    with guard.own_settings():
        torch.manual_seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
    assert torch.get_rng_state().equal(state) and torch.is_grad_enabled() and torch.ones(1).dtype == torch.float32


def test_torchs_settings_are_ours_inside_the_block_and_the_learners_after_it():
    with torch.inference_mode(), torch.device("meta"):
        torch.set_default_dtype(torch.float64)
        try:
            with guard.own_settings():
                x = torch.ones(1, requires_grad=True)
                assert (x.dtype, x.device.type, (2 * x).requires_grad) == (torch.float32, "cpu", True)
            after = torch.ones(1)
            assert (after.dtype, after.device.type, after.is_inference()) == (torch.float64, "meta", True)
        finally:
            torch.set_default_dtype(torch.float32)
