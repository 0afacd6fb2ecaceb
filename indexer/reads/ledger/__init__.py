"""Answers from logs: a pinned read once, then what the chain's logs say of it, block by block."""
