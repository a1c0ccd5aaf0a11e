"""Intervals and tests for accuracies of repeated trainings.

Convention: values are numbers in any one unit (accuracies: percent), probabilities and levels lie in [0, 1], an
interval is (low, high). Where values do not tell their spread (one value; or all equal, and no resolution given), an
interval is (-inf, inf) and a p value 1: nothing was shown. `resolution` is the step in which the values come (an
accuracy on n images: 100 / n): values that agree may still differ by a part of it, so that a variance counts as
resolution^2 / 12 at the least, the variance of rounding.

Sources: Wilson 1927; Welch 1947 with the degrees of freedom of Satterthwaite 1946; Holm 1979; Schuirmann 1987 (two
one-sided tests); Efron 1979 (bootstrap). scipy is imported where it is used: the core needs none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Interval = tuple[float, float]
EVERYWHERE: Interval = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean of the first values minus that of the second, its interval, and the two-sided p value of 'no difference'."""

    difference: float
    low: float
    high: float
    p: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 'no difference'."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """Standard error of a difference of means and its degrees of freedom."""

    error: float
    freedom: float


def mean(values: Sequence[float]) -> float:
    """The mean of one value or more."""
    _some(values)
    return math.fsum(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """The sample variance (n - 1); NaN of a single value."""
    if len(values) < 2:
        return math.nan
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def deviation(values: Sequence[float]) -> float:
    """The sample standard deviation (n - 1); NaN of a single value."""
    return math.sqrt(variance(values))


def wilson_interval(k: int, n: int, level: float = 0.95) -> Interval:
    """Interval of a probability after k of n: within [0, 1], also at k = 0 and k = n, and around k / n."""
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no count of successes; give 0 <= k <= n, n at least 1")
    z = NormalDist().inv_cdf(0.5 + _level(level) / 2)
    share, weight = k / n, z * z / n
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / n + weight / (4 * n))
    return (0.0 if k == 0 else max(0.0, centre - half)), (1.0 if k == n else min(1.0, centre + half))


def paired_shares_interval(gained: float, lost: float, n: int, level: float = 0.95) -> Interval:
    """Interval of the difference of two shares of the same n cases, of which the second has gained and lost so many.

    Half a case is added to both, which keeps the level where few differ (Agresti and Min, 2005).
    """
    if min(gained, lost) < 0 or gained + lost > n or n < 1:
        raise ValueError(f"{gained} gained and {lost} lost of {n} is no comparison of pairs; n is at least their sum")
    up, down, all_of = gained + 0.5, lost + 0.5, n + 2.0
    middle = (up - down) / all_of
    error = math.sqrt((up + down) / all_of - middle**2) / math.sqrt(all_of)
    half = t_quantile(math.inf, 0.5 + _level(level) / 2) * error
    return max(-1.0, middle - half), min(1.0, middle + half)


def t_interval(values: Sequence[float], level: float = 0.95, *, resolution: float = 0.0) -> Interval:
    """Interval of the mean of normal values of unknown variance."""
    spread = _mean_variance(values, resolution)
    if spread is None:
        return EVERYWHERE
    half = t_quantile(len(values) - 1, 0.5 + _level(level) / 2) * math.sqrt(spread)
    return mean(values) - half, mean(values) + half


def welch(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, *, resolution: float = 0.0
) -> Difference:
    """Difference of two means of normal values whose variances may differ, its interval and its two-sided p value."""
    difference = mean(first) - mean(second)
    spread = _spread(first, second, resolution)
    if spread is None:
        return Difference(difference=difference, low=-math.inf, high=math.inf, p=1.0)
    half = t_quantile(spread.freedom, 0.5 + _level(level) / 2) * spread.error
    p = 2 * t_below(spread.freedom, -abs(difference) / spread.error)
    return Difference(difference=difference, low=difference - half, high=difference + half, p=min(1.0, p))


def tost(first: Sequence[float], second: Sequence[float], *, margin: float, resolution: float = 0.0) -> float:
    """p value of 'the means differ by the margin or more': two one-sided Welch tests, the larger of their p values.

    Below 0.05 exactly where the 90 % interval of the difference lies within (-margin, margin).
    """
    if not margin > 0:
        raise ValueError(f"margin {margin} must be positive")
    difference = mean(first) - mean(second)
    spread = _spread(first, second, resolution)
    if spread is None:
        return 1.0
    return max(
        t_below(spread.freedom, (difference - margin) / spread.error),
        t_below(spread.freedom, (-margin - difference) / spread.error),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p value corrected for all of them, in their order: rejecting below a level keeps the family-wise error."""
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p values lie between 0 and 1, but these are {list(p_values)}")
    corrected = list(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def bootstrap_interval(
    statistic: Callable[[NDArray[np.intp]], float],
    n: int,
    level: float = 0.95,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic of n things, drawn again with replacement.

    `statistic` takes the positions of those drawn, shape (n,), so that paired data stay paired. Resamples for which it
    is NaN (a correlation of things all equal) are left out; without any other the interval is everywhere.
    """
    import numpy as np

    if n < 1 or resamples < 1:
        raise ValueError(f"{n} things and {resamples} resamples: give at least one of each")
    generator = np.random.Generator(np.random.PCG64(seed))
    found = np.array([statistic(generator.integers(n, size=n)) for _ in range(resamples)], dtype=float)
    found = found[~np.isnan(found)]
    if not len(found):
        return EVERYWHERE
    low, high = np.quantile(found, [0.5 - _level(level) / 2, 0.5 + level / 2])
    return float(low), float(high)


def _some(values: Sequence[float]) -> None:
    if not len(values):
        raise ValueError("no values: give at least one")


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie between 0 and 1, both excluded; 0.95 is usual")
    return level


def _mean_variance(values: Sequence[float], resolution: float) -> float | None:
    """Variance of the mean; None where the values do not tell it."""
    _some(values)
    if len(values) < 2:
        return None
    found = max(variance(values), resolution**2 / 12) / len(values)
    return found or None


def _spread(first: Sequence[float], second: Sequence[float], resolution: float) -> _Spread | None:
    if min(len(first), len(second)) < 2:
        return None
    parts = [(_mean_variance(values, resolution) or 0.0, len(values) - 1) for values in (first, second)]
    total = sum(part for part, _ in parts)
    if not total:
        return None
    # Shares first: squares of tiny variances would vanish.
    freedom = 1 / sum((part / total) ** 2 / degrees for part, degrees in parts)
    return _Spread(error=math.sqrt(total), freedom=freedom)


def t_below(freedom: float, t: float) -> float:
    """Probability that Student's t with these degrees of freedom (infinite ones: a normal value) is below t."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(t) if math.isinf(freedom) else stdtr(freedom, t))


def t_quantile(freedom: float, share: float) -> float:
    """The value below which it is with this probability."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(share) if math.isinf(freedom) else stdtrit(freedom, share))


def expected_maximum(n: int) -> float:
    """The expected maximum of n standard normals.

    >>> round(expected_maximum(1), 6) + 0.0, round(expected_maximum(2), 4)  # the latter is 1 / sqrt(pi)
    (0.0, 0.5642)
    """
    import numpy as np
    from scipy.special import log_ndtr

    x = np.linspace(-8, 8, 3201)
    density = np.exp(math.log(n) - 0.5 * x**2 + (n - 1) * log_ndtr(x)) / math.sqrt(2 * math.pi)
    return float((x * density).sum() * (x[1] - x[0]))
