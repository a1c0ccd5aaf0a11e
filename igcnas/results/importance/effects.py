"""How much better each value of a choice is, the others being equal: an additive model, fitted by least squares.

log errors = a parabola of log MACs + one number for each value of each choice. The numbers are shrunk a little, as if
each value had been tried once more without effect (ridge, 1): a value that was tried once or twice cannot stand out,
and choices that always went together share what they did. What values do only together is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.results.importance.samples import cost_terms

_SHRINK = 1.0

Effects = dict[str, dict[Any, float]]


def additive(
    choices: Sequence[Mapping[str, Any]], macs: NDArray[np.float64], better: NDArray[np.float64], names: Sequence[str]
) -> tuple[Effects, NDArray[np.float64]]:
    """Effect of each value of each name, and what is left of `better` for each network.

    Effects of a choice are 0 in the mean over the networks.
    """
    columns = [(name, value) for name in names for value in sorted({chosen[name] for chosen in choices}, key=repr)]
    tried = np.array([[chosen[name] == value for name, value in columns] for chosen in choices], dtype=float)
    tried = tried.reshape(len(choices), len(columns))
    costs = cost_terms(macs)
    design = np.column_stack((costs, tried))
    penalty = np.diag([1e-9] * costs.shape[1] + [_SHRINK] * len(columns))
    found = np.linalg.solve(design.T @ design + penalty, design.T @ better)
    effects: Effects = {name: {} for name in names}
    for (name, value), number in zip(columns, found[costs.shape[1] :], strict=True):
        effects[name][value] = float(number)
    for name, numbers in effects.items():
        mean = float(np.mean([numbers[chosen[name]] for chosen in choices]))
        effects[name] = {value: number - mean for value, number in numbers.items()}
    return effects, better - design @ found
