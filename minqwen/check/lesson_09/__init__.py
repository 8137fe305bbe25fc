"""The exercises of lesson 09, long context."""
