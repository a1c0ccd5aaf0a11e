"""Costs that are polynomials in (L, M), read from counted plans, and the widest integer block that each of them allows.

The cost of an IGC block, in weights or in MACs, with or without batch norm, and of whole networks of such blocks, is

    T(L, M) = p L M^2 + q M L^2 + r L M + c.

At a fixed width G = L M that is G (p M + q L) + r G + c, and p M + q L >= 2 sqrt(p q G), with equality exactly where
q L = p M. So the widest block has L / M = p / q, whatever r and c, and no block of cost T is wider than the root G of
2 sqrt(p q) G^(3/2) + r G + c = T. With p = S, q = 1 and r = c = 0 these are equations (10) to (15) of Zhang et al.,
ICCV 2017 (arXiv:1707.02725): L = M S and G = (T / (2 sqrt S))^(2/3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from igcnas.errors import BudgetError

Integers: TypeAlias = npt.NDArray[np.int64]

MOST_ROWS = 1_000_000  # values of M in a frontier: a second or two
MOST_POINTS = 25_000_000  # points of a lattice: a second, and 400 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """T(L, M) = primary L m^2 + secondary m L^2 + linear L m + constant, where M = step m; `step` is 1 but rarely."""

    primary: int
    secondary: int
    linear: int = 0
    constant: int = 0
    step: int = 1

    @overload
    def cost(self, L: int, M: int) -> int: ...
    @overload
    def cost(self, L: Integers, M: Integers) -> Integers: ...
    def cost(self, L: int | Integers, M: int | Integers) -> int | Integers:
        """T of one block, or of arrays of them; M is a multiple of the step."""
        m = M // self.step
        return L * m * (self.primary * m + self.secondary * L + self.linear) + self.constant

    @property
    def best_ratio(self) -> float:
        """L / M of the widest block."""
        return self.primary / (self.secondary * self.step)

    def least(self, width: float) -> float:
        """The least T of any real (L, M) of this width."""
        g = width / self.step
        return 2 * math.sqrt(self.primary * self.secondary) * math.pow(g, 1.5) + self.linear * g + self.constant

    def bound(self, budget: float) -> float:
        """Channels that no block of this cost exceeds; 0 where the constant part alone is more.

        >>> round(Law(primary=9, secondary=1).bound(4672), 2)
        84.64
        """
        return self.width_at(budget, 1.0)

    def width_at(self, budget: float, ratio: float) -> float:
        """The real width that costs the budget where L / M is `ratio` times the best one; at 1 it is the bound.

        There p m + q L = sqrt(p q L m) (sqrt(ratio) + 1 / sqrt(ratio)).
        """
        rest = budget - self.constant
        if rest <= 0:
            return 0.0
        cubic = math.sqrt(self.primary * self.secondary) * (math.sqrt(ratio) + 1 / math.sqrt(ratio))
        if self.linear == 0:
            return self.step * math.pow(rest / cubic, 2 / 3)
        x = math.pow(rest / cubic, 1 / 3)
        # Newton on x = sqrt(L m) from above: the polynomial is convex there, so that it only falls.
        for _ in range(100):
            step = (cubic * x**3 + self.linear * x * x - rest) / (3 * cubic * x * x + 2 * self.linear * x)
            x -= step
            if abs(step) <= 1e-15 * x:
                break
        return self.step * x * x

    def closed_form(self, budget: float) -> tuple[float, float]:
        """Real (L, M) of the widest block of this cost."""
        M = math.sqrt(self.bound(budget) / self.best_ratio)
        return self.best_ratio * M, M

    def frontier(self, budget: int) -> tuple[Integers, Integers]:
        """The largest L for each M that fits at all, as arrays (L, M); exact, by integer roots."""
        p, q, r, rest = self.primary, self.secondary, self.linear, budget - self.constant
        smallest = self.cost(1, self.step)
        if budget < smallest:
            raise BudgetError(f"nothing fits a budget of {budget}; the smallest costs {smallest}")
        most = (math.isqrt((q + r) ** 2 + 4 * p * rest) - q - r) // (2 * p)  # with L = 1: p m^2 + (q + r) m = rest
        if most > MOST_ROWS:
            raise BudgetError(
                f"a budget of {budget} is too large to enumerate: {most:,} values of M, at most {MOST_ROWS:,}"
            )
        rows = (((p * m + r) * m, q * m) for m in range(1, most + 1))  # T = a L^2 + b L + c
        largest = [(math.isqrt(b * b + 4 * a * rest) - b) // (2 * a) for b, a in rows]
        return np.array(largest, dtype=np.int64), self.step * np.arange(1, most + 1)

    def lattice(self, budget: int) -> tuple[Integers, Integers]:
        """All (L, M) that cost no more than the budget, as two arrays of one length, M by M."""
        largest, every = self.frontier(budget)
        points = int(largest.sum())
        if points > MOST_POINTS:
            raise BudgetError(
                f"a budget of {budget} is too large to enumerate: {points:,} (L, M), at most {MOST_POINTS:,}"
            )
        M = np.repeat(every, largest)
        return np.arange(1, points + 1) - np.repeat(np.cumsum(largest) - largest, largest), M

    def widest(self, budget: int) -> tuple[int, int]:
        """(L, M) of the widest block; of equally wide ones the cheapest, then that with the smallest M.

        It is on the frontier: beside the same M a larger L would fit otherwise, and be wider.
        """
        L, M = self.frontier(budget)
        first = np.lexsort((M, self.cost(L, M), -L * M))[0]
        return int(L[first]), int(M[first])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadratic:
    """T(C) = square C^2 + linear C + constant: the cost of regular convolutions of width C."""

    square: int
    linear: int = 0
    constant: int = 0

    def cost(self, width: int) -> int:
        """T of this width."""
        return (self.square * width + self.linear) * width + self.constant

    def width(self, budget: float) -> float:
        """The real width that costs the budget; 0 where the constant part alone is more."""
        rest = max(budget - self.constant, 0)
        return (math.sqrt(self.linear**2 + 4 * self.square * rest) - self.linear) / (2 * self.square)


def law_of(count: Callable[[int, int], int], *, step: int = 1) -> Law:
    """The law of a count, from four counted points; a fifth must agree, else ValueError.

    >>> law_of(lambda L, M: 9 * L * M * M + M * L * L)
    Law(primary=9, secondary=1, linear=0, constant=0, step=1)
    """

    def at(L: int, m: int) -> int:
        return count(L, m * step)

    base = at(1, 1)
    more_M, more_L, more = at(1, 2) - base, at(2, 1) - base, at(2, 2) - base  # 3p + q + r, p + 3q + r, 7p + 7q + 3r
    twice_sum = 2 * more - 3 * (more_M + more_L)  # 2 (p + q)
    p, q = (twice_sum + more_M - more_L) // 4, (twice_sum - more_M + more_L) // 4
    r = more_M - 3 * p - q
    law = Law(primary=p, secondary=q, linear=r, constant=base - p - q - r, step=step)
    if any(law.cost(L, m * step) != at(L, m) for L, m in ((1, 1), (1, 2), (2, 1), (2, 2), (5, 3))):
        raise ValueError(f"the count is no polynomial of this kind: {law} is not what was counted")
    return law


def quadratic_of(count: Callable[[int], int]) -> Quadratic:
    """The quadratic of a count, from three counted widths; a fourth must agree, else ValueError."""
    one, two, three = count(1), count(2), count(3)
    square = (three - 2 * two + one) // 2
    linear = two - one - 3 * square
    found = Quadratic(square=square, linear=linear, constant=one - square - linear)
    if any(found.cost(width) != count(width) for width in (1, 2, 3, 7)):
        raise ValueError(f"the count is no quadratic: {found} is not what was counted")
    return found
