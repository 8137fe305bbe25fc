"""Several texts in one row: each as if it stood alone. Oracle: the model on each text by itself."""

import inspect

import pytest
import torch
from torch.testing import assert_close

from minqwen.model import Qwen, QwenConfig
from minqwen.model.cache import KVCache
from minqwen.model.long_context import LongContext

LENGTHS = (5, 1, 7, 3)
NUMBERS = torch.tensor([[n for n, length in zip((4, 2, 9, 0), LENGTHS) for _ in range(length)]] * 2)
SHAPE = {"vocab_size": 61, "d_model": 30, "n_layers": 2, "n_heads": 3, "n_kv_heads": 3, "d_ff": 43, "max_length": 3}


def model(settings: LongContext | None = None) -> Qwen:
    generator = torch.Generator().manual_seed(0)
    made = Qwen(QwenConfig(**SHAPE), generator, settings).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made


def rows() -> torch.Tensor:
    return torch.randint(0, 61, (2, sum(LENGTHS)), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "settings", [None, LongContext(windows=(2, 4)), LongContext(logn=True)], ids=["plain", "windows", "LogN"]
)
@torch.no_grad()
def test_a_text_among_others_gets_the_logits_it_gets_alone(settings):
    m, ids = model(settings), rows()
    together = m(ids, documents=NUMBERS).split(LENGTHS, dim=1)
    for found, alone in zip(together, ids.split(LENGTHS, dim=1)):
        assert_close(found, m(alone), rtol=1e-10, atol=1e-10)
    assert (m(ids) - torch.cat(together, dim=1))[:, LENGTHS[0] :].abs().max() > 0.1, "the texts would matter"


@torch.no_grad()
def test_dynamic_ntk_scales_a_row_for_its_longest_text():
    m, ids = model(LongContext("ntk")), rows()
    longest = m(ids, documents=NUMBERS).split(LENGTHS, dim=1)[2]
    assert_close(longest, m(ids[:, 6:13]), rtol=1e-10, atol=1e-10)


def test_gradients_do_not_cross_from_text_to_text():
    m, ids = model(), rows()
    m(ids, documents=NUMBERS)[:, : LENGTHS[0]].square().sum().backward()
    later = set(ids[:, LENGTHS[0] :].flatten().tolist()) - set(ids[:, : LENGTHS[0]].flatten().tolist())
    assert m.model.embed_tokens.weight.grad[sorted(later)].abs().max() == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"documents": NUMBERS[:, 1:]}, "number every one"),
        ({"is_token": torch.ones(2, sum(LENGTHS), dtype=torch.bool)}, "number padding as a text"),
        ({"cache": KVCache(QwenConfig(**SHAPE), 2, sum(LENGTHS), torch.float64)}, "give no cache"),
    ],
)
def test_what_does_not_go_together_is_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        inspect.unwrap(Qwen.hidden)(model(), rows(), **{"documents": NUMBERS, **changed})
