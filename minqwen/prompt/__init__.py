"""Asking well: self-instruct, least-to-most, ReAct and its tools, sections 3.4 and 6 of arXiv:2309.16609."""
