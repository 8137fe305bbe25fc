"""Adapting a model with few parameters and little memory: LoRA (arXiv:2106.09685) and QLoRA (arXiv:2305.14314)."""
