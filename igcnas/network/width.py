"""The budget fixes the width: the widest network of a structure whose MACs are at or under a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from igcnas.network.architecture import Architecture
from igcnas.network.cost import count


class Fit(NamedTuple):
    """The largest n whose network fits, that network, and its MACs."""

    n: int
    architecture: Architecture
    macs: int


def widest(build: Callable[[int], Architecture], target_macs: int, *, limit: int) -> Fit | None:
    """Largest n in 1..limit with macs(build(n)) <= target_macs; None where n = 1 does not fit.

    The MACs of build(n) must not fall as n grows. About 2 log2(n) networks are counted, of which none is built.
    """
    best = _try(build, 1, target_macs)
    if best is None:
        return None
    low, high = 1, 2
    while high <= limit:  # double until it no longer fits
        fit = _try(build, high, target_macs)
        if fit is None:
            break
        best, low, high = fit, high, high * 2
    high = min(high, limit + 1)
    while high - low > 1:
        middle = (low + high) // 2
        fit = _try(build, middle, target_macs)
        if fit is None:
            high = middle
        else:
            best, low = fit, middle
    return best


def _try(build: Callable[[int], Architecture], n: int, target_macs: int) -> Fit | None:
    architecture = build(n)
    macs = count(architecture).macs
    return Fit(n, architecture, macs) if macs <= target_macs else None
