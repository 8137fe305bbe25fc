"""The exercises of lesson 11, preferences and the reward model."""
