"""A small random model, a tokenizer of bytes and one word, and no figure left open."""

import matplotlib.pyplot as plt
import pytest
import torch

from minqwen.model import Qwen, QwenConfig
from minqwen.tokenizer.tokenizer import Tokenizer


@pytest.fixture(autouse=True)
def figures():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def tokenizer():
    """All bytes, and " a" and 月 as tokens of their own, with the merges that they need."""
    tokens = [bytes([i]) for i in range(256)] + [b" a", "月".encode()[:2], "月".encode()]
    return Tokenizer({token: rank for rank, token in enumerate(tokens)})


@pytest.fixture(scope="session")
def model(tokenizer):
    """3 layers of 5 heads that share one key-value head; queries and keys are large enough to prefer something."""
    config = QwenConfig(tokenizer.vocab_size, d_model=70, n_layers=3, n_heads=5, n_kv_heads=1, d_ff=11, max_length=64)
    model = Qwen(config, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.q_proj.weight *= 20
            block.self_attn.v_proj.weight *= 20
    return model
