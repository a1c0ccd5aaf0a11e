"""The accuracy axis: equal ratios of error rates take equal room, so that 98 and 99 % stay apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TICKS = (100, 99.5, 99, 98, 97, 96, 95, 93, 90, 85, 80, 75, 70, 65, 60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 0)


def ticks(low: float, high: float) -> list[float]:
    """Round accuracies that stand at least a twentieth of the axis apart, the highest first."""
    start, end = to_scale(np.array([low, high]))
    chosen: list[float] = []
    for tick in _TICKS:
        position = float(to_scale(np.array(float(tick))))
        last = float(to_scale(np.array(chosen[-1]))) if chosen else np.inf
        if start <= position <= end and last - position >= (end - start) / 20:
            chosen.append(tick)
    return chosen


def to_scale(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal ratios of error rates take equal room, so that 98 and 99 % stay apart; half a percent keeps 100 finite."""
    return -np.log(np.maximum(100.5 - accuracy, 1e-3))


def from_scale(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """The accuracy at a position of the scale."""
    return 100.5 - np.exp(-position)
