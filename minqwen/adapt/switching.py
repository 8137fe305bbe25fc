"""Several adapters for one base, kept by name, of which the model has one on, or none.

The base is there once; a kept adapter costs its A and B. `peft` calls this `set_adapter`:
https://huggingface.co/docs/peft/developer_guides/lora
"""

from pathlib import Path

from torch import nn

from minqwen.adapt import adapter_files, lora

Layers = dict[str, lora.LoRALinear]


def take_off(model: nn.Module) -> Layers:
    """Put the plain layers back in the place of the adapted ones, which are returned; `lora.attach` puts them on again.

    The model stays frozen.
    """
    worn = lora.adapters(model)
    if any(layer.unmerged for layer in worn.values()):
        raise ValueError("a merged adapter cannot be taken off; unmerge first")
    for name, layer in worn.items():
        model.set_submodule(name, layer.base)
    return worn


class Switch:
    """The adapters of a model by name, each as its layers."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.kept: dict[str, Layers] = {}

    @property
    def on(self) -> str | None:
        """The name of the adapter that is on; ValueError if the model has one that is kept under no name."""
        worn = lora.adapters(self.model)
        if not worn:
            return None
        for name, layers in self.kept.items():
            if all(layers.get(place) is layer for place, layer in worn.items()):
                return name
        raise ValueError("the model has an adapter without a name, which would be lost; keep(name) it first")

    def keep(self, name: str) -> None:
        """Give the adapter that the model has a name."""
        worn = lora.adapters(self.model)
        if not worn:
            raise ValueError("the model has no adapter on; call add_lora first, or load(name, folder)")
        self._refuse_taken(name)
        known = [other for other, layers in self.kept.items() if set(layers.values()) & set(worn.values())]
        if known:
            raise ValueError(f"this adapter is kept as {known[0]!r} already; to(None), then add or load another")
        self.kept[name] = worn

    def load(self, name: str, folder: str | Path) -> None:
        """Read an adapter from its files, keep it under the name, and switch to it."""
        self._refuse_taken(name)
        before = self.on
        worn = take_off(self.model)
        try:
            adapter_files.load(self.model, folder)
        except (ValueError, OSError):
            if before is not None:
                lora.attach(self.model, worn)
            raise
        self.keep(name)

    def to(self, name: str | None) -> None:
        """Switch to the adapter of this name, or to none: then the model is the base, which stays frozen."""
        if name is not None and name not in self.kept:
            raise ValueError(f"no adapter is called {name!r}; there are {', '.join(self.kept) or 'none, so load one'}")
        if name != self.on:
            take_off(self.model)
            lora.attach(self.model, self.kept[name] if name is not None else {})

    def _refuse_taken(self, name: str) -> None:
        if name in self.kept:
            raise ValueError(f"{name!r} is the name of another adapter; choose one that is not among {list(self.kept)}")
