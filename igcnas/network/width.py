"""The budget fixes the width: the widest network of a structure that keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from igcnas.network.architecture import Architecture
from igcnas.network.budget import Budget
from igcnas.network.plan import plan

# Below so many steps, which are eighths of the least width, layers of one channel become some of another kind.
_FEW = 16


class Fit(NamedTuple):
    """The largest n whose network fits, that network, and what it uses of the first limit of the budget."""

    n: int
    architecture: Architecture
    used: int


def widest(build: Callable[[int], Architecture], budget: Budget, *, most: int) -> Fit | None:
    """Largest n in 1..most whose network keeps the budget; None where n = 1 does not.

    What build(n) costs must not fall as n grows, in any limit, or not its bound from _FEW on. About 2 log2(n) networks
    are counted, of which none is built; where a limit has a bound of its own, some more.
    """
    few = 0 if budget.steady else _FEW
    low, high = 0, 1
    while high <= most and (high <= few or budget.may_keep(plan(build(high)))):  # double until it no longer fits
        low, high = high, high * 2
    high = min(high, most + 1)
    low = max(low, min(few, most))
    while high - low > 1:
        middle = (low + high) // 2
        if budget.may_keep(plan(build(middle))):
            low = middle
        else:
            high = middle
    tries = (_try(build, n, budget) for n in range(low, 0, -1))
    return next((fit for fit in tries if fit is not None), None)


def _try(build: Callable[[int], Architecture], n: int, budget: Budget) -> Fit | None:
    architecture = build(n)
    network = plan(architecture)
    return Fit(n, architecture, budget.first.of(network)) if budget.keeps(network) else None
