"""How well two orders of the same networks agree, with bootstrap intervals. Arrays in, numbers out; no study here.

n networks, R resamples. Kendall's tau-b counts the pairs of networks that both rank alike, minus those that they rank
in opposite ways; pairs that a ranking leaves tied shrink its share of the denominator. Spearman's rho correlates ranks,
the mean rank for ties. `bands` (n,) restricts either to pairs, or ranks, within a band, pooled over all bands: what is
left of an agreement at matched cost. NaN where one of the two orders ranks nothing.

Intervals are percentiles over resamples of networks, drawn with replacement within each band, as the networks were. A
network drawn twice is no pair with itself. All measures of one audit use the same resamples, so that differences
between them are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
LEVEL = 0.95
Values = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with the ends of its interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not np.isnan(self.value)


def resamples(bands: ArrayLike, *, seed: int, count: int = RESAMPLES) -> Indices:
    """(count, n) networks drawn with replacement; the one in place p is of the band of network p."""
    labels = np.asarray(bands)
    drawn = np.empty((count, len(labels)), dtype=np.int64)
    generator = np.random.default_rng(seed)
    for band in np.unique(labels):
        members = np.flatnonzero(labels == band)
        drawn[:, members] = generator.choice(members, size=(count, len(members)))
    return drawn


def identity(n: int) -> Indices:
    """The one resample in which each network is drawn once: (1, n)."""
    return np.arange(n)[None]


def taus(x: ArrayLike, y: ArrayLike, drawn: Indices, bands: ArrayLike | None = None) -> Values:
    """Kendall's tau-b of x and y (n,) in each resample: (R,)."""
    counts, signs_x, signs_y = _counts(drawn), _signs(x, bands), _signs(y, bands)
    both, of_x, of_y = (_quadratic(counts, m) for m in (signs_x * signs_y, np.abs(signs_x), np.abs(signs_y)))
    return _divide(both, np.sqrt(of_x * of_y))


def rhos(x: ArrayLike, y: ArrayLike, drawn: Indices, bands: ArrayLike | None = None) -> Values:
    """Spearman's rho of x and y (n,) in each resample: (R,). Within bands: of the ranks in the band, about its mean."""
    counts = _counts(drawn)
    # Twice a rank less the mean rank is how many are below less how many are above, also where some are tied.
    ranks_x, ranks_y = (counts @ _signs(values, bands).T for values in (x, y))
    both, of_x, of_y = ((counts * a * b).sum(1) for a, b in ((ranks_x, ranks_y), (ranks_x,) * 2, (ranks_y,) * 2))
    return _divide(both, np.sqrt(of_x * of_y))


def interval(value: float, over_resamples: Values) -> Interval:
    """The value with percentiles of what the resamples gave; those that could not tell are left out."""
    found = over_resamples[~np.isnan(over_resamples)]
    if np.isnan(value) or not len(found):
        return Interval(value=value, low=np.nan, high=np.nan)
    low, high = np.percentile(found, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return Interval(value=value, low=float(low), high=float(high))


def recall(short: ArrayLike, long: ArrayLike, k: int) -> float:
    """Share of the k best by `long` that are among the k best by `short`; ties are broken at random, in expectation."""
    return float((_top(short, k) * _top(long, k)).sum() / k)


def regret(short: ArrayLike, long: ArrayLike) -> float:
    """How far the best by `short` falls behind the best by `long`, in units of `long`; the mean over ties."""
    values = np.asarray(long, float)
    return float(values.max() - values[np.asarray(short) == np.max(short)].mean())


def _top(values: ArrayLike, k: int) -> Values:
    """Probability of each network to be among the k best when ties are broken at random."""
    given = np.asarray(values, float)
    if not 1 <= k <= len(given):
        raise ValueError(f"k must lie between 1 and the {len(given)} networks, but is {k}")
    bar = np.sort(given)[-k]
    above, level = given > bar, given == bar
    chances: Values = above + level * ((k - above.sum()) / level.sum())
    return chances


def _signs(values: ArrayLike, bands: ArrayLike | None) -> Values:
    """(n, n): 1 where the value of the row is above that of the column, -1 where below; 0 also for other bands."""
    given = np.asarray(values, float)
    # No difference: values may be infinite.
    signs: Values = np.greater.outer(given, given).astype(np.float64) - np.less.outer(given, given)
    if bands is not None:
        signs *= np.equal.outer(np.asarray(bands), np.asarray(bands))
    return signs


def _counts(drawn: Indices) -> Values:
    """How often each network is in each resample: (R, n)."""
    counts: Values = np.zeros(drawn.shape)
    np.add.at(counts, (np.arange(len(drawn))[:, None], drawn), 1.0)
    return counts


def _quadratic(counts: Values, pairs: Values) -> Values:
    total: Values = ((counts @ pairs) * counts).sum(1)
    return total


def _divide(above: Values, below: Values) -> Values:
    divided: Values = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return divided
