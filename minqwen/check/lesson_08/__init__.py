"""The exercises of lesson 08, pre-training."""
