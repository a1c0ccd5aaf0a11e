"""Exact tests of 'no difference' by permutation: what other labels could have shown.

Two-sided; the statistic is the difference of the means, so nothing is assumed of how the values are distributed. Where
there are too many permutations to count out, some are drawn at random, with a seed of their own, and the observed one
is counted with them (Phipson and Smyth 2010), so that no p value is 0. Sources: Fisher 1935; Pitman 1937.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Sequence

_MOST_PAIRS = 16
_MOST_CHOICES = 200_000
_DRAWN = 99_999


def sign_flip(differences: Sequence[float]) -> float:
    """p of a mean difference of zero between pairs: the share of all changes of sign that give as large a mean.

    It assumes of "no difference" only that either of a pair could as well have been the other; up to 16 pairs.
    """
    if not 1 <= len(differences) <= _MOST_PAIRS:
        raise ValueError(f"{len(differences)} pairs; between 1 and {_MOST_PAIRS} can be counted out")
    observed = abs(math.fsum(differences))
    tolerance = _tolerance(differences)
    signs = itertools.product((1, -1), repeat=len(differences))
    larger = sum(
        abs(math.fsum(s * d for s, d in zip(row, differences, strict=True))) >= observed - tolerance for row in signs
    )
    return larger / 2.0 ** len(differences)


def paired(differences: Sequence[float]) -> float:
    """As `sign_flip`, of any number of pairs: more than 16 by random changes of sign."""
    if len(differences) <= _MOST_PAIRS:
        return sign_flip(differences)
    generator = random.Random(0)
    observed = abs(math.fsum(differences)) - _tolerance(differences)
    larger = sum(
        abs(math.fsum(d if generator.random() < 0.5 else -d for d in differences)) >= observed for _ in range(_DRAWN)
    )
    return (1 + larger) / (1 + _DRAWN)


def unpaired(first: Sequence[float], second: Sequence[float]) -> float:
    """p of 'both came from one distribution': the share of all divisions of the values that part the means as far."""
    if not first or not second:
        raise ValueError(f"{len(first)} and {len(second)} values: give at least one of each")
    values = [*first, *second]
    total, n, m = math.fsum(values), len(first), len(second)

    def apart(chosen: Iterable[float]) -> float:
        inside = math.fsum(chosen)
        return abs(inside / n - (total - inside) / m)

    observed = apart(first) - _tolerance(values)
    if math.comb(n + m, n) <= _MOST_CHOICES:
        divisions = itertools.combinations(values, n)
        return sum(apart(chosen) >= observed for chosen in divisions) / math.comb(n + m, n)
    generator = random.Random(0)
    larger = sum(apart(generator.sample(values, n)) >= observed for _ in range(_DRAWN))
    return (1 + larger) / (1 + _DRAWN)


def smallest_paired(pairs: int) -> float:
    """The lowest p that so many pairs can give: with 5 it is 0.0625, and nothing can be shown at 0.05."""
    return 2.0 / 2.0**pairs if pairs <= _MOST_PAIRS else 1 / (1 + _DRAWN)


def smallest_unpaired(first: int, second: int) -> float:
    """The lowest p that two sets of these sizes can give; of equal sizes the mirror image counts, too."""
    divisions = math.comb(first + second, first)
    if divisions > _MOST_CHOICES:
        return 1 / (1 + _DRAWN)
    return (2.0 if first == second else 1.0) / divisions


def _tolerance(values: Sequence[float]) -> float:
    """Sums of the same numbers in another order may differ in their last digits."""
    return 1e-12 * max(1.0, math.fsum(map(abs, values)))
