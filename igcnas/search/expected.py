"""How long the networks of a search will take, by what was measured of a few: one of each sort at least.

A sort is a family, with learned groupings or without. Sorts differ more than sizes do: an MSGC network takes several
times the seconds of a MobileNetV2 of as many multiply-accumulates, so a mean over a few networks drawn at random says
little. Within a sort seconds grow more slowly than multiply-accumulates, because every layer costs something whatever
its width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import TypeAlias

from igcnas.network.architecture import Architecture
from igcnas.network.cost import count
from igcnas.network.plan import plan
from igcnas.network.primitives import walk

Measured: TypeAlias = Sequence[tuple[Architecture, float]]  # seconds of each
Sort: TypeAlias = tuple[str, bool]  # family, and whether a grouping is learned

# The exponent where no sort was measured at two sizes; on the digits at 0.2 MFLOPs they give 0.4 to 0.5.
_GROWTH = 0.7
_COMMON = 0.05  # of the samples; a sort of fewer is not measured


def to_measure(samples: Sequence[Architecture], known: Sequence[Architecture]) -> tuple[Architecture, ...]:
    """Networks whose seconds tell those of all: the known ones, and one of each sort that has none among them.

    Of a sort it is the one of the samples that is in the middle by multiply-accumulates. A sort of few samples hardly
    changes the mean, and is left out.
    """
    sorts: dict[Sort, list[Architecture]] = {}
    for sample in samples:
        sorts.setdefault(_sort(sample), []).append(sample)
    there = {_sort(one) for one in known}
    common = [found for sort, found in sorts.items() if sort not in there and len(found) >= _COMMON * len(samples)]
    others = [sorted(found, key=_macs)[len(found) // 2] for found in common]
    return (*known, *others)


def mean_seconds(samples: Sequence[Architecture], measured: Measured) -> float:
    """Of the training of one of these networks; 0 where nothing is known.

    Each takes the seconds of the measured network of its sort that is nearest in multiply-accumulates, else of its
    family, else of all, scaled by their ratio to a power, which sorts that were measured twice tell.
    """
    if not samples or not measured:
        return 0.0
    power = _growth(measured)
    return sum(_seconds(one, measured, power) for one in samples) / len(samples)


def _seconds(network: Architecture, measured: Measured, power: float) -> float:
    family = [pair for pair in measured if pair[0].family == network.family]
    alike = [pair for pair in family if _sort(pair[0]) == _sort(network)] or family or measured
    macs = _macs(network)
    near, seconds = min(alike, key=lambda pair: abs(math.log(_macs(pair[0]) / macs)))
    return float(seconds * (macs / _macs(near)) ** power)


def _growth(measured: Measured) -> float:
    """The power of multiply-accumulates by which seconds grow, from pairs of one sort, between 0 and 1."""
    found = []
    for (one, seconds), (other, more) in combinations(measured, 2):
        ratio = math.log(_macs(other) / _macs(one))
        if _sort(one) == _sort(other) and abs(ratio) > math.log(1.5) and seconds > 0 < more:
            found.append(math.log(more / seconds) / ratio)
    return min(1.0, max(0.0, median(found))) if found else _GROWTH


def _sort(network: Architecture) -> Sort:
    layers = (layer for _, layer in walk(plan(network).root))
    return network.family, any(getattr(layer, "learned", None) is not None for layer in layers)


def _macs(network: Architecture) -> int:
    return max(1, count(network).macs)
