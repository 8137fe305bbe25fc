"""The exercises of lesson 00, the start."""
