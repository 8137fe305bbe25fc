"""What fine-tuning needs in bytes: weights, gradients, the states of Adam, and what backward reads again.

Hu et al. 2021, "LoRA" (arXiv:2106.09685), section 4.2; Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314), section 3.
The activations are those of `minqwen.model`, counted layer by layer; another implementation keeps more or less.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

METHODS = ("full", "LoRA", "LoRA + embeddings", "QLoRA")


class Sizes(NamedTuple):
    """The shape of a Qwen."""

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_ff: int
    qkv_bias: bool = True
    tied: bool = False

    @property
    def kv_width(self) -> int:
        """The width of keys and values."""
        return self.d_model // self.n_heads * self.n_kv_heads

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(out, in) of the seven matrices of every layer: what is adapted, and what is quantised."""
        C, K, width = self.d_model, self.kv_width, self.d_ff
        return [(C, C), (K, C), (K, C), (C, C), (width, C), (width, C), (C, width)] * self.n_layers

    @property
    def vocabulary(self) -> int:
        """The numbers of embedding and output."""
        return (1 if self.tied else 2) * self.vocab_size * self.d_model

    @property
    def others(self) -> int:
        """The numbers of biases and norms."""
        biases = self.qkv_bias * (self.d_model + 2 * self.kv_width)
        return self.n_layers * (biases + 2 * self.d_model) + self.d_model


class Bytes(NamedTuple):
    """What a step of training holds at the end of its forward pass, and what its backward pass and Adam add."""

    weights: float
    gradients: float
    adam: float
    activations: float

    @property
    def total(self) -> float:
        """All four."""
        return float(sum(self))


def count_lora_parameters(shapes: Sequence[tuple[int, int]], rank: int) -> int:
    """Σ rank · (out + in) over the adapted matrices: A is (rank, in), B is (out, rank)."""
    return sum(rank * (rows + columns) for rows, columns in shapes)


def predict(
    sizes: Sizes,
    method: str,
    batch: int,
    length: int,
    rank: int = 8,
    kept: float = 4.0,
    learned: float = 4.0,
    states: float = 8.0,
) -> Bytes:
    """The bytes of a step on `batch` texts of `length` tokens, adapters on all seven matrices of each layer.

    A number that stays takes `kept` bytes, one that learns `learned` bytes and as many for its gradient, and `states`
    bytes in Adam. An activation takes `kept` bytes.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; choose one of {', '.join(METHODS)}")
    matrices, adapters = sum(m * n for m, n in sizes.matrices), count_lora_parameters(sizes.matrices, rank)
    everything = matrices + sizes.vocabulary + sizes.others
    learning = {"full": everything, "LoRA + embeddings": adapters + sizes.vocabulary}.get(method, adapters)
    staying = everything - learning + (0 if method == "full" else adapters)
    weights = staying * kept + learning * learned
    if method == "QLoRA":
        weights -= matrices * kept - sum(quantised_bytes(m * n) for m, n in sizes.matrices)
    return Bytes(weights, learning * learned, learning * states, activations(sizes, method, batch, length, rank, kept))


def quantised_bytes(n: int, block: int = 64, superblock: int = 256) -> int:
    """Two codes a byte, a byte for the scale of each block, four for the step of each superblock and for the mean."""
    blocks = -(-n // block)
    return -(-n // 2) + blocks + 4 * -(-blocks // superblock) + 4


def activations(sizes: Sizes, method: str, batch: int, length: int, rank: int, kept: float) -> float:
    """What autograd keeps between the passes, in numbers a token: formula and reasons in lesson 14.

    A frozen matrix keeps no input, but the adapter beside it reads the same one; below the first thing that learns
    nothing is kept.
    """
    C, K, width, H = sizes.d_model, sizes.kv_width, sizes.d_ff, sizes.n_heads
    full, embedded = method == "full", method in ("full", "LoRA + embeddings")
    norms = 2 * (C + 1 + C)  # the stream over its size, 1/√, and what is passed on, with the weight
    heads = C + K + K + C if sizes.n_heads == sizes.n_kv_heads else C + K + 3 * C  # q and k, v, result
    layer = norms + heads + H + 4 * width + (0 if full else 7 * rank)
    ends = C + 1 + (C if embedded else 0) + sizes.vocab_size + 2
    below = 0 if embedded else C + 1
    turns = sizes.n_layers * length * C // H  # cosines and sines, the same for all texts
    return kept * (batch * length * (sizes.n_layers * layer + ends - below) + turns)


def measure(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], Float[Tensor, ""]]
) -> tuple[Bytes, float]:
    """The bytes that a step really holds, counted tensor by tensor, each storage once; and its loss."""
    own = [*model.parameters(), *model.buffers()]
    places, kept = {_place(tensor) for tensor in own}, {}

    def note(tensor: Tensor) -> Tensor:
        if _place(tensor) not in places:
            kept[_place(tensor)] = tensor  # held, so that no other one takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        value = loss()
    held = _bytes(kept.values())
    kept.clear()
    value.backward()
    gradients = _bytes(p.grad for p in own if p.grad is not None)
    optimizer.step()
    states = _bytes(s for state in optimizer.state.values() for s in state.values() if isinstance(s, Tensor))
    optimizer.zero_grad()
    return Bytes(_bytes(own), gradients, states, held), value.item()


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum({_place(t): t.untyped_storage().nbytes() for t in tensors}.values())
