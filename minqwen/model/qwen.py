"""The whole model: token ids in, logits of the next token out.

Qwen Technical Report (arXiv:2309.16609), section 2.3. Parameter names follow `transformers`' Qwen2, so hub weights
load as they are.
"""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.model import checkpoint, hub, long_context, norm
from minqwen.model.block import Block
from minqwen.model.cache import KVCache
from minqwen.model.config import QwenConfig
from minqwen.model.long_context import LongContext


class Decoder(nn.Module):
    """Embedding, blocks and final norm: everything below the output matrix."""

    def __init__(self, config: QwenConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = norm.RMSNorm(config.d_model, config.norm_eps)


class Qwen(nn.Module):
    """A decoder-only Transformer, its weights drawn with `generator`.

    Matrices are normal with deviation 0.02; the two of each block that write into the stream, 0.02 / √(2 · n_layers).
    `long_context` is how it is used and no part of the model: it may be set anew at any time, and is not saved.
    """

    def __init__(
        self,
        config: QwenConfig,
        generator: torch.Generator | None = None,
        long_context: LongContext | None = None,
    ):
        super().__init__()
        self.config, self.long_context = config, long_context or LongContext()
        self.long_context.window_of_layers(config.n_layers)  # raises when they do not fit
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self._initialise(generator)
        if config.tie_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator | None) -> None:
        # Each block adds twice to the stream; the smaller width keeps its variance from growing with depth.
        into_stream = 0.02 / (2 * self.config.n_layers) ** 0.5
        for name, parameter in self.named_parameters():
            if name.endswith(".bias"):
                parameter.zero_()
            elif parameter.ndim == 2:
                adds = name.endswith(("o_proj.weight", "down_proj.weight"))
                parameter.normal_(0.0, into_stream if adds else 0.02, generator=generator)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        is_token: Bool[Tensor, "B S"] | None = None,
        cache: KVCache | None = None,
        documents: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Logits for the token after each position.

        `is_token` is False on padding, S = cached + T positions; positions count tokens, so padding on the left changes
        nothing. With a `cache` the T ids continue what it holds. `documents` numbers the text of each position, a text
        in one piece: attention stays inside it, and its positions count from 0.
        """
        return self.lm_head(self.hidden(ids, is_token, cache, documents))

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        is_token: Bool[Tensor, "B S"] | None = None,
        cache: KVCache | None = None,
        documents: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """The stream after the last norm, from which `lm_head` reads the logits; arguments as in `forward`."""
        self._check_ids(ids)
        T, past = ids.shape[-1], cache.length if cache is not None else 0
        _check_is_token(is_token, len(ids), past + T)
        _check_documents(documents, ids, is_token, cache)
        x = self.model.embed_tokens(ids)
        positions = _positions(is_token, past, T) if documents is None else _positions_inside(documents)
        lengths = _lengths(is_token, past + T, cache) if documents is None else tuple((positions.amax(-1) + 1).tolist())
        positions = positions.to(torch.promote_types(x.dtype, torch.float32))
        windows = self.long_context.window_of_layers(len(self.model.layers))
        given = self.long_context, self.config, positions, lengths, is_token, past + T
        places = {window: long_context.places(*given, window, documents) for window in set(windows)}
        for i, block in enumerate(self.model.layers):
            angles, mask, query_scale = places[windows[i]]
            x = block(x, angles, mask, cache.layers[i] if cache is not None else None, query_scale)
        return self.model.norm(x)

    def _check_ids(self, ids: Tensor) -> None:
        if ids.ndim != 2:
            raise ValueError(f"ids have shape (B, T), but these have {tuple(ids.shape)}; use ids[None] for one text")
        if ids.numel() == 0:
            raise ValueError(f"ids of shape {tuple(ids.shape)} hold no token; start an empty prompt with <|endoftext|>")
        low, high = (int(bound) for bound in ids.aminmax())
        if low < 0 or high >= self.config.vocab_size:
            raise ValueError(
                f"ids lie between 0 and vocab_size - 1 = {self.config.vocab_size - 1}, but these reach from {low} "
                f"to {high}; encode the text with the tokenizer of this model"
            )

    @classmethod
    def from_pretrained(cls, folder: str | Path, long_context: LongContext | None = None) -> "Qwen":
        """The model of a hub folder (config.json, safetensors) or of a name on the hub, in float32.

        Without a `long_context` the first Qwen's own flags choose it; other models read as they were trained.
        """
        folder = hub.find(folder)
        config = checkpoint.read_config(folder)
        with torch.device("meta"):  # shapes without memory: nothing is drawn only to be overwritten
            model = cls(QwenConfig.from_hub(config), long_context=long_context or LongContext.from_hub(config))
        checkpoint.load_weights(model, folder)
        return model

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a hub folder that `from_pretrained` and `transformers` read."""
        checkpoint.save(folder, self.config.to_hub(), self.state_dict(), dtype)


def _positions(is_token: Tensor | None, past: int, T: int) -> Tensor:
    if is_token is None:
        return torch.arange(past, past + T)[None]
    return (is_token.cumsum(dim=-1) - 1).clamp(min=0)[:, past:]


def _positions_inside(documents: Tensor) -> Tensor:
    """How far each position is from the first of its document."""
    at = torch.arange(documents.shape[-1]).expand_as(documents)
    begins = documents.diff(dim=-1, prepend=documents[:, :1] - 1) != 0
    return at - at.where(begins, 0).cummax(dim=-1).values


def _lengths(is_token: Tensor | None, S: int, cache: KVCache | None) -> tuple[int, ...]:
    """The tokens of each row; with a cache those of its first call, since its keys were rotated by them."""
    now = (S,) if is_token is None else tuple(is_token.sum(dim=-1).clamp(min=1).tolist())
    if cache is None:
        return now
    cache.first_lengths = cache.first_lengths or now
    return cache.first_lengths


def _check_is_token(is_token: Tensor | None, B: int, S: int) -> None:
    if is_token is not None and (is_token.dtype != torch.bool or is_token.shape != (B, S)):
        raise ValueError(
            f"is_token is boolean of shape (B, S) = {(B, S)}, cached positions included, but this one is "
            f"{is_token.dtype} {tuple(is_token.shape)}; use attention_mask == 1 for ones and zeros"
        )


def _check_documents(documents: Tensor | None, ids: Tensor, is_token: Tensor | None, cache: KVCache | None) -> None:
    if documents is None:
        return
    if cache is not None or is_token is not None:
        raise ValueError(
            "documents are whole texts in one call: give no cache, and number padding as a text of its own"
        )
    if documents.shape != ids.shape:
        raise ValueError(
            f"documents number every one of {tuple(ids.shape)} ids, but have shape {tuple(documents.shape)}"
        )
