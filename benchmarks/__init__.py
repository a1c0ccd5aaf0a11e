"""Experiments whose results are quoted somewhere; each is a command, and its results are in benchmarks/results."""
