"""Our side of every comparison: minqwen as its users call it."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from minqwen.model import Qwen, QwenConfig, generate, training


def build(shape: dict[str, Any]) -> Qwen:
    """A model of this shape with random weights, large enough that every part matters, biases included."""
    generator = torch.Generator().manual_seed(0)
    model = Qwen(QwenConfig(**shape), generator)
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            nn.init.normal_(parameter, 0.0, 0.05, generator=generator)
    return model


def train(model: Qwen, batches: Iterable[Tensor], steps: int) -> Iterator[float]:
    """The loss of each step of the library's own loop."""
    return (step.loss for step in training.train(model, batches, steps, peak=1e-3, warmup=1))


def write(model: Qwen, prompt: Tensor, new_tokens: int) -> Tensor:
    """Greedy continuation with the cache; only the new tokens."""
    model.eval()
    return generate.generate(model, prompt, new_tokens, temperature=0.0)[:, prompt.shape[1] :]
