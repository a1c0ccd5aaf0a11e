"""Every way to write a width as a product of branch sizes, and the least weights over all of them, exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from igcnas.errors import BudgetError

from .law import Integers

MOST_CHANNELS = 100_000  # of the enumeration: a few seconds
_NONE = 2**60  # above every sum


def branchings(C: int, n: int) -> Iterator[tuple[int, ...]]:
    """Every (K1, K2, ..., Kn) of product C, K1 >= 1 and the others 2 or more, ascending: their order costs nothing.

    >>> list(branchings(12, 3))
    [(1, 2, 6), (1, 3, 4), (2, 2, 3), (3, 2, 2)]
    """
    for first in range(1, C + 1):
        if C % first == 0:
            for rest in _ascending(C // first, n - 1, 2):
                yield (first, *rest)


def _ascending(product: int, parts: int, smallest: int) -> Iterator[tuple[int, ...]]:
    if parts == 0:
        if product == 1:
            yield ()
        return
    for factor in range(smallest, math.isqrt(product) + 1 if parts > 1 else product + 1):
        if product % factor == 0:
            for rest in _ascending(product // factor, parts - 1, factor):
                yield (factor, *rest)


def orders(K: tuple[int, ...]) -> int:
    """Orders of the pointwise kernels that differ: so many ordered factorisations one of `branchings` stands for."""
    number = math.factorial(len(K) - 1)
    for size in set(K[1:]):
        number //= math.factorial(K[1:].count(size))
    return number


def cheapest(most: int, S: int) -> Iterator[tuple[int, Integers]]:
    """For n = 1, 2, ... kernels and each C up to `most` the fewest weights under the strict condition, -1 for none.

    Exact over all factorisations: the least sum of m factors is one factor and the least sum of m - 1 of the rest.
    """
    if most > MOST_CHANNELS:
        raise BudgetError(
            f"{most:,} channels are too many to enumerate, at most {MOST_CHANNELS:,}; take a smaller budget"
        )
    C = np.arange(most + 1)
    pointwise = np.full(most + 1, _NONE, dtype=np.int64)  # the least sums of n - 1 pointwise branches
    pointwise[1:2] = 0
    for n in itertools.count(1):
        sums = _with_factor(pointwise, 1, S)
        yield n, np.where(sums < _NONE, C * np.where(sums < _NONE, sums, 0), -1)
        pointwise = _with_factor(pointwise, 2, 1)


def _with_factor(sums: Integers, smallest: int, weight: int) -> Integers:
    """The least of weight * factor + sums[rest] for each product of a factor and a rest."""
    most = len(sums) - 1
    found = np.full(most + 1, _NONE, dtype=np.int64)
    for factor in range(smallest, most + 1):
        rests = sums[1 : most // factor + 1]
        found[factor::factor] = np.minimum(found[factor::factor], weight * factor + rests)
    return np.minimum(found, _NONE)
