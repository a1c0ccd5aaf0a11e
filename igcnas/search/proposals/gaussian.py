"""A Gaussian process over structures: how good a network of these choices will be, and how sure that is.

Two structures are alike as far as their choices agree: covariance = s exp(-sum_i w_i d_i), where d_i of a choice among
names is 0 or 1, among numbers the distance of their places in [0, 1], and 1/2 where one of the two does not have the
choice. (With less the matrix could have negative eigenvalues: two structures cannot both be close to a third that lacks
what tells them apart.) Weights, scale and noise are the most probable ones under a weak prior: which choices matter is
learned from the scores. numpy and scipy; milliseconds for a hundred networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

Array = NDArray[np.float64]

# Means and standard deviations of the priors, of logarithms.
_WEIGHT, _WEIGHT_SPREAD = 0.5, 1.0
_SCALE_SPREAD = 0.5
_NOISE, _NOISE_SPREAD = 0.1, 1.0
_MISSING = 0.5
_STEPS = 40
# Of more structures than this: one in so many for the start, and steps from there. On 130 to 300 structures of made-up
# scores they end within 3 of the least negative log posterior, from which the prior is 7 to 250 away; thirty numbers
# that are drawn from the posterior are 15 away.
_MANY, _THIN, _FURTHER_STEPS = 120, 3, 12
_FARTHEST = 4.0  # standard deviations of the prior
_JITTER = 1e-6


class Axis(NamedTuple):
    """One choice: its name, and for numbers (or a context) the place of each value on a scale; else None."""

    name: str
    places: Mapping[Any, float] | None


class Encoded(NamedTuple):
    """Structures as numbers: (structures, axes), NaN where a structure does not have the choice."""

    values: Array
    ordered: NDArray[np.bool_]


def encode(structures: Sequence[Mapping[str, Any]], axes: Sequence[Axis], codes: dict[Any, float]) -> Encoded:
    """`codes` numbers the names as they come up; use the same for structures that are to be compared."""
    values = np.full((len(structures), len(axes)), np.nan)
    for column, axis in enumerate(axes):
        for row, structure in enumerate(structures):
            if axis.name in structure:
                value = structure[axis.name]
                values[row, column] = (
                    axis.places[value] if axis.places is not None else codes.setdefault((axis.name, value), len(codes))
                )
    return Encoded(values, np.array([axis.places is not None for axis in axes], dtype=bool))


def distances(first: Encoded, second: Encoded) -> Array:
    """(axes, structures of the first, structures of the second)."""
    apart = np.empty((len(first.ordered), len(first.values), len(second.values)))
    for axis, (left, right) in enumerate(zip(first.values.T, second.values.T, strict=True)):
        here, there = ~np.isnan(left), ~np.isnan(right)
        if first.ordered[axis]:
            np.abs(np.subtract.outer(np.where(here, left, 0.0), np.where(there, right, 0.0)), out=apart[axis])
        else:
            apart[axis] = np.not_equal.outer(left, right)
        if not (here.all() and there.all()):
            apart[axis][np.not_equal.outer(here, there)] = _MISSING
            apart[axis][np.logical_and.outer(~here, ~there)] = 0.0
    return apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianProcess:
    """Fitted to scores of zero mean and unit variance."""

    structures: Encoded
    weights: Array
    scale: float
    noise: float
    scores: Array
    uncertainty: Array
    factor: tuple[Array, bool]
    alpha: Array

    @staticmethod
    def fit(structures: Encoded, scores: Array, uncertainty: Array) -> GaussianProcess:
        """scores (n,); uncertainty (n,): how many times the noise of a full training each has.

        The fit to many begins where the fit to every third of them ends, which is found in a tenth of the time.
        """
        start, _ = _prior(structures.values.shape[1])
        apart = distances(structures, structures)
        if len(scores) <= _MANY:
            logs = _most_probable(apart, scores, uncertainty, start, steps=_STEPS)
        else:
            few = np.ascontiguousarray(apart[:, ::_THIN, ::_THIN])
            start = _most_probable(few, scores[::_THIN], uncertainty[::_THIN], start, steps=_STEPS)
            logs = _most_probable(apart, scores, uncertainty, start, steps=_FURTHER_STEPS)
        weights, scale, noise = np.exp(logs[:-2]), float(np.exp(logs[-2])), float(np.exp(logs[-1]))
        return GaussianProcess._of(structures, apart, scores, uncertainty, weights, scale, noise)

    @staticmethod
    def _of(
        structures: Encoded,
        apart: Array,
        scores: Array,
        uncertainty: Array,
        weights: Array,
        scale: float,
        noise: float,
    ) -> GaussianProcess:
        covariance = scale * np.exp(-np.tensordot(weights, apart, 1)) + np.diag(noise * uncertainty + _JITTER)
        factor = cho_factor(covariance, lower=True)
        alpha = cho_solve(factor, scores)
        return GaussianProcess(
            structures=structures,
            weights=weights,
            scale=scale,
            noise=noise,
            scores=scores,
            uncertainty=uncertainty,
            factor=factor,
            alpha=alpha,
        )

    def believing(self, structures: Encoded) -> GaussianProcess:
        """The process as if these structures had already scored what it predicts of them.

        Its means stay, it is surer near them, and so it looks elsewhere (Desautels et al., JMLR 2014).
        """
        both = Encoded(np.vstack([self.structures.values, structures.values]), self.structures.ordered)
        scores = np.concatenate([self.scores, self.predict(structures)[0]])
        uncertainty = np.concatenate([self.uncertainty, np.ones(len(structures.values))])
        apart = distances(both, both)
        return GaussianProcess._of(both, apart, scores, uncertainty, self.weights, self.scale, self.noise)

    def predict(self, structures: Encoded) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless score of each structure."""
        cross = self.scale * np.exp(-np.tensordot(self.weights, distances(structures, self.structures), 1))
        variance = self.scale - np.einsum("ij,ji->i", cross, cho_solve(self.factor, cross.T))
        return cross @ self.alpha, np.sqrt(np.maximum(variance, 1e-9))


def _most_probable(apart: Array, scores: Array, uncertainty: Array, start: Array, *, steps: int) -> Array:
    """The logs of the weights, the scale and the noise, found from a start."""
    loss = negative_log_posterior(apart, scores, uncertainty)
    middle, spread = _prior(len(apart))
    bounds = list(zip(middle - _FARTHEST * spread, middle + _FARTHEST * spread, strict=True))
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}).x)


def negative_log_posterior(apart: Array, scores: Array, uncertainty: Array) -> Callable[[Array], tuple[float, Array]]:
    """Of the logs of the weights (one an axis), the scale and the noise; with its gradient.

    apart: `distances` of the structures (axes, n, n).
    """
    axes, count = len(apart), len(scores)
    prior, spread = _prior(axes)
    # All matrices are symmetric: of each the lower half, an entry beside the diagonal for itself and its twin.
    rows, columns = np.tril_indices(count)
    flat, on_diagonal = np.ascontiguousarray(apart[:, rows, columns]), rows == columns
    entries = np.where(on_diagonal, 0.5, 1.0)

    def loss(logs: Array) -> tuple[float, Array]:
        weights, noise = np.exp(logs[:axes]), np.exp(logs[-1])
        signal = np.exp(logs[-2] - weights @ flat)
        covariance = np.zeros((count, count))
        covariance[rows, columns] = signal
        covariance[np.diag_indices(count)] += noise * uncertainty + _JITTER
        lower = np.linalg.cholesky(covariance)
        alpha = cho_solve((lower, True), scores)
        slope = entries * (dpotri(lower, lower=1)[0][rows, columns] - alpha[rows] * alpha[columns])
        weighted = slope * signal
        away = (logs - prior) / spread
        value = 0.5 * scores @ alpha + np.log(np.diag(lower)).sum() + 0.5 * (away**2).sum()
        gradient = away / spread
        gradient[:axes] -= weights * (flat @ weighted)
        gradient[-2] += weighted.sum()
        gradient[-1] += noise * (slope[on_diagonal] @ uncertainty)
        return float(value), gradient

    return loss


def _prior(axes: int) -> tuple[Array, Array]:
    """Means and standard deviations of the logs."""
    means = np.log(np.concatenate([np.full(axes, _WEIGHT), [1.0, _NOISE]]))
    return means, np.concatenate([np.full(axes, _WEIGHT_SPREAD), [_SCALE_SPREAD, _NOISE_SPREAD]])
