"""The exercises of lesson 16, past one machine."""
