"""How long a made-up training takes: drawn by (seed, number), so that a run and its simulation have the same."""

from __future__ import annotations

import random

SPREAD = 0.3  # of the logarithm: two thirds of the trainings take between 0.74 and 1.35 times the usual time


def duration(seed: int, number: int, mean: float) -> float:
    """Seconds of training `number`: lognormal with this mean."""
    return mean * random.Random(f"{seed}/{number}").lognormvariate(-(SPREAD**2) / 2, SPREAD)
