"""Byte-level byte-pair encoding, as in section 2.2 of the Qwen report (Bai et al. 2023, arXiv:2309.16609)."""

from minqwen.tokenizer import bpe, encoding, pretokenize, ranks
from minqwen.tokenizer.tokenizer import CONTROL_TOKENS, Tokenizer

__all__ = ["CONTROL_TOKENS", "Tokenizer", "bpe", "encoding", "pretokenize", "ranks"]
