"""The exercises of lesson 13, RLHF."""
