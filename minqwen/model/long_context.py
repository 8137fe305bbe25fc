"""Reading past the trained length without training: scaled positions, LogN, and windows that grow with the layers.

Qwen Technical Report (arXiv:2309.16609), section 2.5; positions interpolated: Chen et al. 2023 (arXiv:2306.15595),
equation 4; LogN: Chiang and Cholak 2022 (arXiv:2202.12172), section 5.3. The report gives no sizes of windows, so those
are a reconstruction.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from minqwen.model import attention, names, precision, rope
from minqwen.model.config import QwenConfig

POSITIONS = ("as trained", "interpolated", "ntk")


def interpolate_positions(
    positions: Int[Tensor, "*batch T"] | Float[Tensor, "*batch T"], factor: float
) -> Float[Tensor, "*batch T"]:
    """positions / factor: a text `factor` times too long, squeezed into the places that were trained."""
    if not factor >= 1:
        raise ValueError(f"factor={factor} is below 1 and would stretch positions; use max(length / trained_length, 1)")
    return (precision.widen(positions) if positions.is_floating_point() else positions.float()) / factor


def ntk_alpha(length: int, trained_length: int) -> int:
    """max(2^(⌈log₂(length / trained_length)⌉ + 1) − 1, 1): 1 up to the trained length L, 3 to 2L, 7 to 4L, 15 to 8L."""
    if length < 1 or trained_length < 1:
        raise ValueError(f"length={length} and trained_length={trained_length} count tokens; both must be 1 or more")
    return max(2 ** (math.ceil(math.log2(length / trained_length)) + 1) - 1, 1)


def ntk_base(base: float, alpha: int | float, d_head: int) -> float:
    """base · alpha^(d_head / (d_head − 2)): the slowest pair turns 1/alpha as far, the fastest as far as before."""
    if not alpha >= 1:
        raise ValueError(f"alpha={alpha} is below 1 and would speed the pairs up; alpha=1 changes nothing")
    if d_head < 4:
        raise ValueError(f"d_head={d_head} has no slow pair to slow down; use d_head=4 or more")
    return base * alpha ** (d_head / (d_head - 2))


def logn_scale(
    positions: Int[Tensor, "*batch T"] | Float[Tensor, "*batch T"], trained_length: int
) -> Float[Tensor, "*batch T"]:
    """max(1, ln(p + 1) / ln(trained_length)) for each position p from 0: the factor of the query at p."""
    if trained_length < 2:
        raise ValueError(f"trained_length={trained_length} has the logarithm 0 or none; it must be 2 or more")
    keys = (precision.widen(positions) if positions.is_floating_point() else positions.float()) + 1
    return (keys.log() / math.log(trained_length)).clamp(min=1.0)


def window_mask(T: int, S: int, window: int) -> Bool[Tensor, "{T} {S}"]:
    """mask[t, s] = (0 ≤ t + S − T − s < window): True for the last `window` keys, the token itself included.

    The T queries are the last T of the S positions, as in `attention.causal_mask`.
    """
    _check_window(window)
    behind = torch.arange(S - T, S)[:, None] - torch.arange(S)
    return (behind >= 0) & (behind < window)


def _check_window(window: int) -> None:
    if window < 1:
        raise ValueError(f"window={window} hides even the token itself; use 1 or more, or no window to see everything")


def doubling_windows(n_layers: int, first: int, every: int) -> tuple[int, ...]:
    """`first` · 2^⌊layer / every⌋ for each layer: short windows below, long ones above.

    A reconstruction: the report says only that lower layers get shorter windows. An example by one of its authors
    (https://github.com/QwenLM/Qwen/issues/422) is `first` = the trained length, doubled every four layers.
    """
    if every < 1:
        raise ValueError(f"every={every} must be 1 or more layers of equal windows")
    return tuple(first * 2 ** (layer // every) for layer in range(n_layers))


@dataclass(frozen=True)
class LongContext:
    """What a model does past its trained length (`QwenConfig.max_length`); the default does nothing.

    `positions` is one of POSITIONS. `windows` holds for each layer how many tokens a query sees, itself included; empty
    for all. In a layer with a window nothing counts more tokens than the window, alpha and LogN included.
    """

    positions: str = "as trained"
    logn: bool = False
    windows: tuple[int, ...] = ()

    def __post_init__(self):
        if self.positions not in POSITIONS:
            raise ValueError(f"positions={self.positions!r} is not known; choose one of {', '.join(POSITIONS)}")
        for window in self.windows:
            _check_window(window)

    @classmethod
    def from_hub(cls, config: dict[str, Any]) -> "LongContext":
        """What a config.json asks for: the first Qwen's may, those of other models are left as trained."""
        return cls(**names.long_context_from_hub(config))

    @property
    def reads_on(self) -> bool:
        """Whether it is made for texts past the trained length: scaled positions or windows; LogN alone is not."""
        return self.positions != "as trained" or bool(self.windows)

    def window_of_layers(self, n_layers: int) -> tuple[int | None, ...]:
        """A window, or None, for each layer."""
        if self.windows and len(self.windows) != n_layers:
            raise ValueError(
                f"{len(self.windows)} windows do not fit {n_layers} layers; give one for each, "
                f"such as doubling_windows({n_layers}, first=256, every=2), or none at all"
            )
        return self.windows or (None,) * n_layers


class Places(NamedTuple):
    """What the attention of a layer knows about places: rotation, who sees whom, and the queries' factor."""

    angles: Float[Tensor, "#B T half"]
    mask: Bool[Tensor, "#B 1 T S"] | None
    query_scale: Float[Tensor, "#B T"] | None


def places(
    settings: LongContext,
    config: QwenConfig,
    positions: Float[Tensor, "#B T"],
    lengths: tuple[int, ...],
    is_token: Bool[Tensor, "B S"] | None,
    S: int,
    window: int | None,
    documents: Int[Tensor, "B T"] | None = None,
) -> Places:
    """For a layer of this window: `lengths` are the tokens of each row that decide on the scaling of positions.

    Nothing sees beyond its own of the `documents`.
    """
    T = positions.shape[-1]
    # One new token may see everything, so decoding without padding and window needs no mask.
    free = T == 1 and is_token is None and documents is None and (window is None or window >= S)
    mask = None
    if not free:
        sees = attention.causal_mask(T, S) if window is None else window_mask(T, S, window)
        mask = sees[None, None]
    if documents is not None:
        mask = sees & (documents[:, None, :, None] == documents[:, None, None, :])
    if is_token is not None:
        mask = mask & is_token[:, None, None, :]
    counted = tuple(min(n, window or n) for n in lengths)
    scale = None
    if settings.logn:
        scale = logn_scale(positions if window is None else positions.clamp(max=window - 1), config.max_length)
    return Places(_angles(settings, config, positions, counted), mask, scale)


def _angles(settings: LongContext, config: QwenConfig, positions: Tensor, lengths: tuple[int, ...]) -> Tensor:
    if settings.positions == "as trained":
        return rope.rope_angles(positions, config.d_head, config.rope_base)
    rows = max(len(positions), len(lengths))
    lengths = lengths if len(lengths) == rows else lengths * rows
    return torch.stack(
        [_scaled(settings.positions, config, row, n) for row, n in zip(positions.expand(rows, -1), lengths)]
    )


def _scaled(how: str, config: QwenConfig, positions: Tensor, length: int) -> Tensor:
    trained = config.max_length
    if how == "interpolated":
        positions = interpolate_positions(positions, max(length / trained, 1.0))
        return rope.rope_angles(positions, config.d_head, config.rope_base)
    base = ntk_base(config.rope_base, ntk_alpha(length, trained), config.d_head)
    return rope.rope_angles(positions, config.d_head, base)
