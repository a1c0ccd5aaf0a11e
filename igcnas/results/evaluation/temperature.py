"""Temperature scaling (Guo et al., ICML 2017): one number T, so that softmax(logits / T) fits held-out labels best.

It changes no answer, only how sure the network says it is. T above 1: the network was too sure.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_LEAST, _MOST = 0.05, 20.0


def log_shares(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Logarithms of the softmax of logits (n, classes) / temperature."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(1, keepdims=True)
    shares: NDArray[np.float64] = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
    return shares


def negative_log_likelihood(logits: NDArray[np.float64], labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Mean over the images, in nats."""
    return float(-log_shares(logits, temperature)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature of the least negative log-likelihood, within 0.05 and 20; three digits behind the point."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda power: negative_log_likelihood(logits, labels, math.exp(power)),
        bounds=(math.log(_LEAST), math.log(_MOST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return round(float(math.exp(found.x)), 3)
