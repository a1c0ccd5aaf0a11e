"""The accuracy axis: equal ratios of error rates take equal room, so that 98 and 99 % stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axis import Axis

_TICKS = (100, 99.5, 99, 98, 97, 96, 95, 93, 90, 85, 80, 75, 70, 65, 60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 0)


def ticks(low: float, high: float, *, apart: float = 0.05) -> list[float]:
    """Round accuracies that stand at least this share of the axis apart, the highest first."""
    start, end = to_scale(np.array([low, high]))
    chosen: list[float] = []
    for tick in _TICKS:
        position = float(to_scale(np.array(float(tick))))
        last = float(to_scale(np.array(chosen[-1]))) if chosen else np.inf
        if start <= position <= end and last - position >= apart * (end - start):
            chosen.append(tick)
    return chosen


def limits(lowest: float, highest: float) -> tuple[float, float]:
    """An axis from a little below the lowest accuracy to a little above the highest."""
    low, high = to_scale(np.array([lowest, highest]))
    margin = max(0.1, 0.08 * (high - low))
    bottom, top = from_scale(np.array([low - margin, high + 1.5 * margin]))
    return max(0.0, float(bottom)), min(100.2, float(top))


def to_scale(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal ratios of error rates take equal room, so that 98 and 99 % stay apart; half a percent keeps 100 finite."""
    return -np.log(np.maximum(100.5 - accuracy, 1e-3))


def from_scale(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """The accuracy at a position of the scale."""
    return 100.5 - np.exp(-position)


def frame(axis: Axis, shown: NDArray[np.float64]) -> tuple[float, float]:
    """Limits a little outside what is shown; sets round accuracies that stand apart, the highest first, as ticks."""
    low, high = to_scale(np.array([shown.min(), shown.max()]))
    margin = max(0.1, 0.06 * (high - low))
    chosen: dict[float, float] = {}
    for tick in _TICKS:
        place = float(to_scale(np.array(float(tick))))
        apart = not chosen or min(chosen.values()) - place > (high - low) / 11
        if low - margin <= place <= high + margin and apart:
            chosen[tick] = place
    axis.set_ticks(list(chosen), [f"{tick:g}" for tick in chosen])
    axis.set_ticks([], minor=True)
    bottom, top = from_scale(np.array([low - margin, high + margin]))
    return float(bottom), float(top)
