"""Lesson 10: conversations as tokens, and what of them is learned."""
