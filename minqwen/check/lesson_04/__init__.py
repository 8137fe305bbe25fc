"""The exercises of lesson 04, the Qwen block."""
