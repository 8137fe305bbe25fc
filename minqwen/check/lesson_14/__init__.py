"""Lesson 14: low-rank adapters, four bits, and the memory that both save."""
