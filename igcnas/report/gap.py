"""The difference of two networks of a study, with an interval at 95 %.

Where both were trained several times: of the means, by Welch's test. Else normal, each accuracy with its own standard
error: the binomial one of the validation images, with one right and one wrong answer added (so that it does not vanish
at 100 %; Agresti and Caffo 2000), or the spread of a seed in this study where that is larger. A mean over seeds counts
as a single training then: its seeds share the images. Nothing is paired. Networks share the images, too, so that the
binomial part is too large rather than too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from igcnas.statistics import mean, welch

if TYPE_CHECKING:
    from igcnas.search import Standing

WELCH, BINOMIAL = "Welch", "binomial"
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Points of accuracy by which the first is better, its interval, and by which rule (WELCH or BINOMIAL)."""

    difference: float
    low: float
    high: float
    rule: str

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 'no difference'."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What a single training may be off. images: those that validated it. seed: on the arcsine scale of `racing`."""

    images: int
    seed: float = 0.0

    @staticmethod
    def of(standing: Standing | None, images: int) -> Noise:
        """Of a study, from its repeats; without any, of the images alone."""
        if standing is None:
            return Noise(images=images)
        return Noise(images=images, seed=standing.race.seed_sd / _slope(standing.race.first.expected, images))

    def error(self, accuracy: float) -> float:
        """Standard error of one accuracy, in points."""
        return _slope(accuracy, self.images) * max(0.5 / math.sqrt(self.images + 2), self.seed)

    def gap(self, first: Sequence[float], second: Sequence[float]) -> Gap:
        """The first network minus the second, from the accuracies of their trainings."""
        if min(len(first), len(second)) > 1:
            found = welch(first, second, resolution=100.0 / self.images)
            return Gap(difference=found.difference, low=found.low, high=found.high, rule=WELCH)
        difference = mean(first) - mean(second)
        half = _Z * math.hypot(self.error(mean(first)), self.error(mean(second)))
        return Gap(difference=difference, low=difference - half, high=difference + half, rule=BINOMIAL)


def _slope(accuracy: float, images: int) -> float:
    """Points of accuracy for one unit of the arcsine scale."""
    share = (accuracy / 100.0 * images + 1) / (images + 2)
    return 200.0 * math.sqrt(share * (1 - share))
