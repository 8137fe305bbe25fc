"""The Transformer of the Qwen Technical Report (arXiv:2309.16609), sections 2.3 and 2.4, part by part."""

from minqwen.model.config import QwenConfig
from minqwen.model.long_context import LongContext
from minqwen.model.qwen import Qwen

__all__ = ["LongContext", "Qwen", "QwenConfig"]
