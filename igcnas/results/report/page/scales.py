"""Axes of the page as shares: 0 is the left or the bottom end of an axis, 1 the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from igcnas.results.figures.scale import limits, ticks, to_scale

# Of each power of ten, from few ticks to many.
_STEPS = (
    (1.0,),
    (1.0, 3.0),
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    tuple(1 + step / 2 for step in range(18)),
    tuple(1 + step / 5 for step in range(45)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark at a share of an axis."""

    share: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScale:
    """Equal ratios take equal room. Both ends are positive, and the low one is less than the high one."""

    low: float
    high: float

    @staticmethod
    def around(values: Iterable[float], *, margin: float = 0.04) -> LogScale:
        """A little wider than the positive values on both sides, by this share of the axis; at least 15 %."""
        logs = [math.log(value) for value in values if value > 0 and math.isfinite(value)] or [0.0]
        low, high = min(logs), max(logs)
        room = max(margin * (high - low), 0.0 if high - low > 0.3 else 0.15)
        return LogScale(low=math.exp(low - room), high=math.exp(high + room))

    def share(self, value: float) -> float:
        """Where a positive value stands."""
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self, *, apart: float = 0.11) -> list[Tick]:
        """As many round numbers as stand at least this share of the axis apart."""
        chosen: list[Tick] = []
        for steps in _STEPS:
            found = self._round(steps)
            gaps = [after.share - before.share for before, after in itertools.pairwise(found)]
            if len(found) > len(chosen) and min(gaps, default=1.0) >= apart:
                chosen = found
        return chosen or self._round(_STEPS[0])[:: math.ceil(apart * math.log10(self.high / self.low)) + 1]

    def _round(self, steps: tuple[float, ...]) -> list[Tick]:
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = (float(f"{step:.2g}e{exponent}") for exponent in exponents for step in steps)
        return [Tick(share=self.share(value), text=f"{value:g}") for value in values if self.low <= value <= self.high]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyScale:
    """Equal ratios of error rates take equal room, as in every figure."""

    low: float
    high: float

    @staticmethod
    def around(accuracies: Iterable[float]) -> AccuracyScale:
        """A little wider than the accuracies, in percent."""
        shown = [accuracy for accuracy in accuracies if math.isfinite(accuracy)] or [0.0]
        low, high = limits(min(shown), max(shown))
        return AccuracyScale(low=low, high=high)

    def share(self, accuracy: float) -> float:
        """Where an accuracy stands; outside the axis less than 0 or more than 1."""
        low, place, high = to_scale(np.array([self.low, accuracy, self.high]))
        return float((place - low) / (high - low))

    def ticks(self, *, apart: float = 0.05) -> list[Tick]:
        """Round accuracies that stand apart, the highest first."""
        return [Tick(share=self.share(mark), text=f"{mark:g}") for mark in ticks(self.low, self.high, apart=apart)]
