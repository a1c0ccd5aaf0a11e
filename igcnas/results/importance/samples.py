"""Searched networks as data for statistics: what was chosen, what it costs, what share of images it gets wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import StudyError
from igcnas.search.proposals.reference import log_errors

if TYPE_CHECKING:
    from igcnas.search.study import Study


# Below this nothing can be said of a choice: half of its values would have been tried a handful of times.
LEAST = 20
# Networks within this factor of MACs say nothing about a curve over them.
_LEAST_RANGE = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One searched network. log_errors: logarithm of its share of wrong answers, mean over its trainings."""

    parameters: Mapping[str, Any]
    macs: float
    log_errors: float


def samples_of(study: Study) -> list[Sample]:
    """The searched networks of a study that were trained to the end. Raises StudyError where they are too few."""
    known_axes = _axes(study.settings.space)
    found = []
    for network in study.networks:
        chosen = {key: value for key, value in study.parameters[network.record.number].items() if key in known_axes}
        if network.record.searched and chosen:
            logs = [log_errors(accuracy, study.images) for accuracy in network.accuracies]
            found.append(
                Sample(parameters=chosen, macs=network.record.final_macs, log_errors=math.fsum(logs) / len(logs))
            )
    require_enough(found, study.name)
    return found


def require_enough(samples: Sequence[Sample], name: str) -> None:
    """Raise StudyError where there are too few."""
    if len(samples) < LEAST:
        raise StudyError(
            f"study {name!r} has {len(samples)} searched networks that were trained to the end; what matters can be "
            f"told from {LEAST} on; search further with --networks"
        )


def _axes(space: Mapping[str, Any]) -> set[str]:
    """Names of the choices of a stored space; other parameters of a trial, such as a MAC target, are none."""
    shared = {"block", "growth", "final_size", "head_ratio"}
    shared |= {f"depth{stage}" for stage in range(1, space["stages"] + 1)}
    own = {f"{family['name']}.{axis}" for family in space["families"] for axis in family}
    return shared | own


def better_than_equals(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """For each network: log errors of the average searched network of its MACs minus its own. More is better.

    The average is a parabola of log errors over log MACs, by least squares through all of them.
    """
    errors = np.array([sample.log_errors for sample in samples])
    costs = cost_terms(np.array([sample.macs for sample in samples], dtype=float))
    curve, *_ = np.linalg.lstsq(costs, errors, rcond=None)
    better: NDArray[np.float64] = costs @ curve - errors
    return better


def cost_terms(macs: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a curve over log MACs is made of: a row 1, log MACs, its square for each network; 1 where all are alike.

    A line is not enough: networks of few MACs gain more by each further one.
    """
    logs = np.log(macs) - np.log(macs).mean()
    terms: NDArray[np.float64] = np.vander(logs, 3 if np.ptp(logs) > math.log(_LEAST_RANGE) else 1, increasing=True)
    return terms


def fewer_percent(better: float) -> float:
    """Percent of errors fewer, from a difference of log errors; negative is more.

    >>> round(fewer_percent(math.log(2))), round(fewer_percent(-math.log(2)))
    (50, -100)
    """
    return 100.0 * (1.0 - math.exp(-better))
