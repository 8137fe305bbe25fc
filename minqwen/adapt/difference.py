"""A fine-tuned model as what it differs in from the model that it came from: small whole numbers, packed.

A full fine-tuning changes every weight a little. For each tensor ΔW ≈ s · n, with whole n and the step
s = √mean(ΔW²) / 4: the error is s / √12, 7 % of what was learned and far less of W. Few values of n are common, so that
xz packs them into four or five bits. Liu et al. 2024, "BitDelta" (arXiv:2402.10193), go down to a single bit.
"""

import hashlib
import lzma
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

STEPS = 4  # in the root of the mean square
BASE = "base"  # SHA-256 of the weights that the differences are added to
STEP = ".step"


def save_difference(tuned: nn.Module, base: nn.Module, file: str | Path) -> None:
    """Write what `tuned` adds to `base`, which has the same tensors."""
    new, old = tuned.state_dict(), base.state_dict()
    _compare(new, old, "the fine-tuned model")
    tensors = {BASE: _fingerprint(old)}
    for name, weight in new.items():
        change = weight.double() - old[name].double()
        if not change.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity, so nothing was saved; go back to an earlier model")
        step = max(change.square().mean().sqrt() / STEPS, torch.tensor(1e-30)).float()
        tensors[name] = (change / step).round().clamp(-127, 127).to(torch.int8)
        tensors[name + STEP] = step
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_bytes(lzma.compress(save(tensors), preset=9 | lzma.PRESET_EXTREME))


@torch.no_grad()
def add_difference(base: nn.Module, file: str | Path) -> nn.Module:
    """Add a file's differences to the model that they were taken from, in place; everything is compared before."""
    try:
        tensors = load(lzma.decompress(Path(file).read_bytes()))
    except (lzma.LZMAError, SafetensorError) as error:
        raise ValueError(f"{file} is damaged ({error}); copy it again") from error
    known, old = tensors.pop(BASE, None), base.state_dict()
    steps = {name.removesuffix(STEP): tensors.pop(name) for name in list(tensors) if name.endswith(STEP)}
    if known is None or steps.keys() != tensors.keys():
        raise ValueError(f"{file} holds no differences; `save_difference` writes such a file")
    _compare(tensors, old, file)
    if not known.equal(_fingerprint(old)):
        raise ValueError(f"{file} was made for other weights of the same shapes; load the model that it came from")
    for name, whole in tensors.items():
        old[name] += whole * steps[name]
    return base


def _compare(new: dict[str, Tensor], old: dict[str, Tensor], what: object) -> None:
    if other := sorted(new.keys() ^ old.keys()):
        raise ValueError(f"{what} and the base differ in {', '.join(other[:3])}; take the base that it came from")
    for name, weight in old.items():
        if new[name].shape != weight.shape:
            shapes = f"{tuple(new[name].shape)} against {tuple(weight.shape)}"
            raise ValueError(f"{name} has other shapes in {what} and in the base: {shapes}; take its own base")


def _fingerprint(weights: dict[str, Tensor]) -> Tensor:
    """Of the weights in float32, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(weights[name].float().contiguous().cpu().numpy().tobytes())
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)
