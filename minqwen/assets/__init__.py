"""What the course ships: corpus, vocabularies, checkpoint, and the logs of the runs that made them (see README.md)."""

from pathlib import Path

TINY_QWEN = Path(__file__).parent / "tiny-qwen"
"""The hub folder of the tiny bilingual Qwen: config.json, model.safetensors, tokenizer.tiktoken."""

TINY_QWEN_SFT = Path(__file__).parent / "tiny-qwen-sft"
"""The tiny Qwen after supervised fine-tuning on the tasks of `minqwen.align.tasks`, with its tokenizer."""

TINY_QWEN_REWARD = Path(__file__).parent / "tiny-qwen-reward"
"""The reward model of poems, `align.reward.RewardModel`, with its tokenizer."""

PREFERENCES = Path(__file__).parent / "preferences"
"""Poems on a title with their gold scores, four a line: train.jsonl, held_out.jsonl."""

TINY_QWEN_RLHF = Path(__file__).parent / "tiny-qwen-rlhf"
"""The fine-tuned tiny Qwen after RLHF on quatrains against the reward model, with its tokenizer."""

TINY_QWEN_REACT = Path(__file__).parent / "tiny-qwen-react" / "difference.safetensors.xz"
"""What the fine-tuned tiny Qwen learned of tools; `adapt.difference.add_difference` adds it to TINY_QWEN_SFT."""

NUMBER_WRITER = Path(__file__).parent / "transformer-2017"
"""The Transformer of 2017 that writes numbers as 12, twelve and 十二: config.json, model.safetensors."""

QWEN_VOCABULARY = Path(__file__).parent / "qwen-vocabulary"
"""The real Qwen vocabulary, 151,643 ranks, and its licence; `minqwen.tokenizer.vocabulary` reads it."""

RUNS = Path(__file__).parent / "runs"
"""The logs: of the tiny Qwen's training, and of the evidence that lessons read."""

REAL_MODEL = Path(__file__).parents[2] / "models" / "smollm2-135m-instruct"
"""Where `python3 course.py real-model` puts SmolLM2-135M-Instruct: not shipped, and there or not there as a whole."""
