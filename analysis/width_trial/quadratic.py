"""A quadratic of accuracy in x = log2(L / (M S)), fitted within seeds, and where its vertex is.

Convention: x (k,), values (n, k): n seeds, k networks, percent. Every seed has its own intercept. All seeds have the
same x, so that the fit within seeds is the mean of the fits of the single seeds; slopes and curvatures of n seeds are n
independent pairs, whatever the noise within a seed is like (networks of a seed share their images; networks of low
accuracy vary more). Tests and intervals are Student's on those pairs:

    slope at v = slope + 2 curvature v     is that of the fitted curve at x = v
    interval of the vertex                 all v at which that slope does not differ from 0 (Fieller 1954): exact for
                                           normal pairs, at any n; the whole axis, or all of it but a part, where the
                                           curvature does not differ from 0
    as a check                             the bootstrap over seeds (percentiles)
    lack of fit                            Hotelling's T^2 of what the quadratic leaves, n > k - 3

The fit is of the accuracy, not of the logarithm of the error: the question is about mean accuracy, of which the mean
over seeds is an unbiased estimate, also where a test split has no error at all; and no equal spread is assumed, for
which one would take a logarithm. The logarithm is given beside it.

`inflation` multiplies the covariance. Nadeau and Bengio (2003): where splits of the same n images are repeated, the
mean over splits varies by 1/n + test/train of the variance of one split if the images were others; inflation = 1 + n
test/train then gives intervals for other images, not for other seeds on these. It is a bound rather than an estimate
where most images are tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.statistics.intervals import bootstrap_interval

Floats = NDArray[np.float64]
LEVEL = 0.95
_FAR = 1e12  # stands for infinity in quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertices:
    """The v that are not rejected: within [low, high] if `inside`, else outside of (low, high)."""

    low: float
    high: float
    inside: bool = True

    @property
    def bounded(self) -> bool:
        """Whether it is an interval with two ends."""
        return self.inside and math.isfinite(self.low) and math.isfinite(self.high)

    def within(self, reach: float) -> bool:
        """Whether it is bounded and lies in [-reach, reach]."""
        return self.bounded and -reach <= self.low and self.high <= reach

    def apart_from(self, reach: float) -> bool:
        """Whether no v in [-reach, reach] is among them."""
        if self.inside:
            return self.low > reach or self.high < -reach
        return self.low < -reach and reach < self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadratic:
    """height + slope x + curvature x^2, with what its coefficients vary by.

    covariance: (var slope, var curvature, covariance of both). freedom: of Student's t. bootstrap, lack_of_fit: None
    where they cannot be told.
    """

    height: float
    slope: float
    curvature: float
    covariance: tuple[float, float, float]
    freedom: float
    bootstrap: tuple[float, float] | None = None
    lack_of_fit: float | None = None

    @property
    def vertex(self) -> float:
        """x of the highest, or lowest, point; infinite on a straight line."""
        return -self.slope / (2 * self.curvature) if self.curvature else math.copysign(math.inf, self.slope)

    def at(self, x: Floats) -> Floats:
        """The curve."""
        return self.height + self.slope * x + self.curvature * x * x

    def curvature_interval(self) -> tuple[float, float]:
        """Student's interval."""
        half = _quantile(self.freedom) * math.sqrt(self.covariance[1])
        return self.curvature - half, self.curvature + half

    def slope_interval(self) -> tuple[float, float]:
        """Student's interval of the slope at x = 0, where L = M S."""
        half = _quantile(self.freedom) * math.sqrt(self.covariance[0])
        return self.slope - half, self.slope + half

    def vertices(self) -> Vertices:
        """Fieller's set."""
        t = _quantile(self.freedom)
        slopes, curvatures, both = self.covariance
        A = 4 * (self.curvature**2 - t * t * curvatures)
        B = 4 * (self.slope * self.curvature - t * t * both)
        C = self.slope**2 - t * t * slopes
        if A == 0 or not math.isfinite(A + B + C):
            return Vertices(low=-math.inf, high=math.inf)
        under = B * B - 4 * A * C
        if A > 0:
            under = max(0.0, under)  # the vertex itself is among them; less is rounding
        if under < 0:
            return Vertices(low=-math.inf, high=math.inf)
        ends = sorted((-B + sign * math.sqrt(under)) / (2 * A) for sign in (-1, 1))
        return Vertices(low=ends[0], high=ends[1], inside=A > 0)


def fit(x: Sequence[float], values: Floats, *, inflation: float = 1.0, resamples: int = 2000) -> Quadratic:
    """The quadratic of n >= 1 seeds; with one seed nothing can be told of its spread."""
    places = np.asarray(x, dtype=float)
    design = np.stack([np.ones_like(places), places, places**2], axis=1)
    coefficients = values @ np.linalg.pinv(design).T  # (n, 3)
    n = len(values)
    height, slope, curvature = coefficients.mean(0)
    if n < 2:
        return Quadratic(
            height=height, slope=slope, curvature=curvature, covariance=(math.inf, math.inf, 0.0), freedom=1
        )
    spread = np.cov(coefficients[:, 1:].T) / n * inflation

    def vertex(drawn: NDArray[np.intp]) -> float:
        _, b, c = coefficients[drawn].mean(0)
        if c < 0:
            return float(np.clip(-b / (2 * c), -_FAR, _FAR))
        return math.copysign(_FAR, b)  # no highest point: the accuracy rises towards that end

    ends = bootstrap_interval(vertex, n, LEVEL, resamples=resamples) if resamples else None
    return Quadratic(
        height=float(height),
        slope=float(slope),
        curvature=float(curvature),
        covariance=(float(spread[0, 0]), float(spread[1, 1]), float(spread[0, 1])),
        freedom=n - 1,
        bootstrap=None if ends is None else (_open(ends[0]), _open(ends[1])),
        lack_of_fit=_lack_of_fit(design, values),
    )


def fit_points(x: Sequence[float], y: Sequence[float]) -> Quadratic:
    """Least squares through single points (published ones); their distances from the curve tell the spread."""
    places, heights = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    design = np.stack([np.ones_like(places), places, places**2], axis=1)
    coefficients, _, _, _ = np.linalg.lstsq(design, heights, rcond=None)
    freedom = len(places) - 3
    if freedom < 1:
        raise ValueError(f"{len(places)} points do not tell how far they are from a quadratic; give 4 or more")
    residuals = heights - design @ coefficients
    covariance = np.linalg.inv(design.T @ design) * float(residuals @ residuals) / freedom
    return Quadratic(
        height=float(coefficients[0]),
        slope=float(coefficients[1]),
        curvature=float(coefficients[2]),
        covariance=(float(covariance[1, 1]), float(covariance[2, 2]), float(covariance[1, 2])),
        freedom=freedom,
    )


def log_errors(wrong: Floats, images: int) -> Floats:
    """-log2 of the error rate, halves added so that none is infinite; higher is better, as for accuracies."""
    scaled: Floats = -np.log2((wrong + 0.5) / (images + 1))
    return scaled


def _lack_of_fit(design: Floats, values: Floats) -> float | None:
    """p of 'the means lie on a quadratic': small where they do not."""
    from scipy.special import fdtrc

    n, k = values.shape
    rest = k - design.shape[1]
    if rest < 1:
        return None
    left, _, _ = np.linalg.svd(design, full_matrices=True)
    contrasts = values @ left[:, design.shape[1] :]
    spread = np.atleast_2d(np.cov(contrasts.T))
    if np.linalg.matrix_rank(spread) < rest:  # so it is with n <= rest seeds
        return None
    means = contrasts.mean(0)
    t2 = n * float(means @ np.linalg.solve(spread, means))
    return float(fdtrc(rest, n - rest, (n - rest) / (rest * (n - 1)) * t2))


def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))


def _open(value: float) -> float:
    return value if abs(value) < _FAR / 2 else math.copysign(math.inf, value)
