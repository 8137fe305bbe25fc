"""Lesson 15: prompting in steps, and calling tools."""
