"""The exercises of lesson 03, the Transformer of 2017."""
