"""The exercises of lesson 07, cleaning data."""
