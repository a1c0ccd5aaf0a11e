"""A table from measured networks: costs that are not negative, of least squared relative error.

Many features and few networks: costs that all convolutions share come first, and what a kind of them costs beyond that
is held down a little (ridge), so that a kind of which few networks have a layer costs about what others do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import IgcnasError
from igcnas.export.latency.operators import VECTORS, Work, is_convolution, work
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.table import CALL, CONVOLUTION, HeldOut, TimeTable
from igcnas.network.plan import Plan

Numbers: TypeAlias = NDArray[np.float64]
_RIDGE = 0.04
_SHARED_RIDGE = 0.1  # of it
_FOLDS = 5
_KEEP = 0.8  # of networks that are solved for a budget keep it when they are measured
LEAST = 24  # networks of a fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One network that was timed. network: its plan, not lowered. family: by which errors are told apart."""

    family: str
    network: Plan
    ms: float


def fitted(
    samples: Sequence[Sample], others: Sequence[Sample], setting: Setting, version: str, machine: str
) -> TimeTable:
    """The table of these networks, with its error on others."""
    if len(samples) < LEAST or not others:
        raise IgcnasError(f"a table of times is fitted to {LEAST} networks at least, not {len(samples)}; time more")
    errors = {vector: _median_error(samples, vector) for vector in VECTORS}
    vector = min(errors, key=lambda one: errors[one])
    table = replace(_table(samples, vector), setting=setting, version=version, machine=machine)
    ratios = [one.ms / table.predict(one.network) for one in others]
    over = max(1.0, float(np.quantile(ratios, _KEEP)))
    return replace(table, over=over, errors=tuple(errors_of(table, others)))


def _table(samples: Sequence[Sample], vector: int) -> TimeTable:
    """As yet of no setting and no machine."""
    costs = _costs(samples, vector)
    return TimeTable(
        setting=Setting(), version="", machine="", vector=vector, costs=costs, over=1.0, fitted=len(samples), errors=()
    )


def errors_of(table: TimeTable, samples: Sequence[Sample]) -> Iterable[HeldOut]:
    """Of all, then of each family, then of each size of images."""
    relative = np.array([abs(table.predict(one.network) / one.ms - 1) for one in samples])
    families = np.array([one.family for one in samples])
    sizes = np.array(["{1}x{2} images".format(*one.network.input_shape) for one in samples])
    yield _error("all", relative)
    for names in (families, sizes):
        for name in sorted(set(names)):
            yield _error(str(name), relative[names == name])


def _error(of: str, relative: Numbers) -> HeldOut:
    low, high = (float(np.quantile(relative, share)) for share in (0.5, 0.9))
    return HeldOut(of=of, networks=len(relative), median=low, p90=high)


def _median_error(samples: Sequence[Sample], vector: int) -> float:
    """Of networks that were left out in turn."""
    found: list[float] = []
    for fold in range(_FOLDS):
        inside = [one for k, one in enumerate(samples) if k % _FOLDS != fold]
        table = _table(inside, vector)
        left = [one for k, one in enumerate(samples) if k % _FOLDS == fold]
        found += [abs(table.predict(one.network) / one.ms - 1) for one in left]
    return float(np.median(found))


def _costs(samples: Sequence[Sample], vector: int) -> dict[str, float]:
    from scipy.optimize import nnls

    works = [work(one.network, vector) for one in samples]
    features = sorted({feature for one in works for feature in one})
    shared = sorted({what for kind, what in features if is_convolution(kind)})
    rows = np.array([[1.0, *_shared(one, shared), *(one.get(feature, 0.0) for feature in features)] for one in works])
    weighted = rows / np.array([one.ms for one in samples])[:, None]
    scale = weighted.mean(0) + weighted.std(0)
    scale[scale == 0] = 1.0
    ridge = np.full(rows.shape[1], _RIDGE * np.sqrt(len(samples)))
    ridge[: 1 + len(shared)] *= _SHARED_RIDGE
    left = np.vstack([weighted / scale, np.diag(ridge)])
    right = np.concatenate([np.ones(len(samples)), np.zeros(rows.shape[1])])
    found = nnls(left, right, maxiter=100 * rows.shape[1])[0] / scale
    names = [CALL, *(f"{CONVOLUTION}: {what}" for what in shared), *(f"{kind}: {what}" for kind, what in features)]
    return {name: float(cost) for name, cost in zip(names, found, strict=True) if cost > 0}


def _shared(one: Work, names: Sequence[str]) -> list[float]:
    """What all convolutions of a network do together."""
    convolutions = [(what, number) for (kind, what), number in one.items() if is_convolution(kind)]
    return [sum(number for what, number in convolutions if what == name) for name in names]
