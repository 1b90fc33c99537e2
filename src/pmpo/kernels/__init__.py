"""Faster forms of pmpo/objective: the same numbers in one pass over memory."""
