"""The texts that a model learns from, split by work, as in section 2.1 of the Qwen report (arXiv:2309.16609)."""
