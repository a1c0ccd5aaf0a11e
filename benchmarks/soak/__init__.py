"""Searches to which everything happens that happens to searches, against the same searches left alone.

scene: one search, its process, its studies and its server. faults: what is done to it, by name. rounds: a search alone,
the same one under faults, and what was found. comparing: what must be equal, and what must hold. clock: time that
jumps. searching: the search itself, with a checkpoint every few steps.
"""
