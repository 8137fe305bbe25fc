"""What the course ships: corpus, vocabulary, checkpoint, and the logs of the runs that made them (see README.md)."""

from pathlib import Path

TINY_QWEN = Path(__file__).parent / "tiny-qwen"
"""The hub folder of the tiny bilingual Qwen: config.json, model.safetensors, tokenizer.tiktoken."""
