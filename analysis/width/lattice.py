"""The width optimum of IGC V1: every integer (L, M) for a budget against the closed form, and the paper's Fig. 3.

Zhang et al., ICCV 2017 (arXiv:1707.02725), section 3 and Fig. 3. An IGC block of width G = L M with a kernel of S taps
has T = L M^2 S + M L^2 weights, so that T^2 - 4 S G^3 = G^2 (M S - L)^2 >= 0: G is at most (T / (2 sqrt S))^(2/3), and
exactly that where L = M S. Its share of the bound for its own T depends on r = L / (M S) alone. This is about width; in
the paper's Fig. 3 accuracy is best near the widest block, not at it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

from .law import Integers
from .subject import Subject

Row: TypeAlias = dict[str, int | float | str]

PAPER_KERNEL_AREA = 9
# Budget T: (L, M, percent of CIFAR-100 test images right, mean of 5 runs) of each point in the paper's Fig. 3.
FIG3: dict[int, tuple[tuple[int, int, float], ...]] = {
    4672: (
        *((1, 23, 51.11), (2, 16, 53.28), (3, 13, 55.09), (5, 10, 56.28), (6, 9, 57.22)),
        *((12, 6, 60.31), (28, 3, 63.21), (40, 2, 63.89), (64, 1, 63.07)),
    ),
    17536: (
        *((1, 44, 61.10), (2, 31, 61.70), (4, 22, 63.05), (12, 12, 65.05), (14, 11, 65.36), (23, 8, 66.59)),
        *((28, 7, 67.04), (41, 5, 67.93), (64, 3, 68.08), (85, 2, 68.13), (128, 1, 67.13)),
    ),
}


def formula(L: Integers, M: Integers, S: int) -> Integers:
    """Weights of an IGC block, equation (7) of the paper: L spatial kernels M x M x S and M pointwise ones L x L."""
    return L * M * M * S + M * L * L


def width_bound(T: float, S: int) -> float:
    """Channels that no IGC block with T weights and S taps exceeds, equations (10) to (15) of the paper.

    >>> round(width_bound(4672, 9), 2)
    84.64
    """
    return math.pow(T / (2 * math.sqrt(S)), 2 / 3)


def closed_form(T: float, S: int) -> tuple[float, float]:
    """Real (L, M) of the widest block: T = 2 M^3 S^2 where L = M S."""
    M = math.pow(T / (2 * S * S), 1 / 3)
    return M * S, M


def share(ratio: float) -> float:
    """Width over the bound for its own cost, of a block with L / M at this ratio to the best one.

    >>> share(1.0), round(share(24 / 18), 4)
    (1.0, 0.9932)
    """
    return math.pow(4 * ratio / (1 + ratio) ** 2, 1 / 3)


def wider_than_regular(L: int, M: int, S: int) -> bool:
    """Whether L * M exceeds the width of a regular convolution of equal weights: L / (L - 1) < M S and L > 1.

    Multiplied by L - 1, so that L = 1 needs no case of its own.
    """
    return L < M * S * (L - 1)


def corner_cases(S: int, up_to: int) -> list[tuple[int, int]]:
    """(L, M) with 1 < L, both at most `up_to`, that are no wider than a regular convolution; none from S = 3 on.

    L / (L - 1) is above 1 and at most 2. So M S >= 3 is always enough, M S = 2 unless L = 2, where both are equally
    wide, and M S = 1 never: with S an odd square, these are (L, 1) and (2, 2) for S = 1.
    """
    sizes = range(1, up_to + 1)
    return [(L, M) for L in sizes[1:] for M in sizes if not wider_than_regular(L, M, S)]


def point(subject: Subject, L: int, M: int) -> Row:
    """One block or network, counted from its real plan."""
    cost = subject.count(L, M)
    return {"L": L, "M": M, "width": L * M, "params": cost.params, "macs": cost.macs}


def _shares(subject: Subject, unit: str, L: int, M: int, bound: float) -> Row:
    ratio = L / M / subject.law(unit).best_ratio
    wider = "yes" if subject.wider_than_regular(L, M, unit) else "no"
    return {
        "percent_of_bound": 100 * L * M / bound,
        "L_over_MS": L / (M * subject.S),
        "L_over_best": ratio,
        "wider": wider,
    }


def optimum(subject: Subject, budget: int, unit: str = "params") -> Row:
    """The widest integer (L, M) within a budget of 'params' or 'macs' beside the closed form; widths are channels.

    `L_over_best`: L over the L that the closed form sets beside M, which is M S for a block.
    """
    law = subject.law(unit)
    L, M = law.widest(budget)
    real_L, real_M = law.closed_form(budget)
    bound = law.bound(budget)
    return {
        "budget": budget,
        "unit": unit,
        "S": subject.S,
        **point(subject, L, M),
        "closed_L": real_L,
        "closed_M": real_M,
        "bound": bound,
        **_shares(subject, unit, L, M, bound),
        "regular_width": subject.regular(unit).width(budget),
    }


def lattice_rows(subject: Subject, budget: int, unit: str = "params") -> Iterator[Row]:
    """Every integer (L, M) within a budget, one row each, M by M.

    `percent_of_bound` is of the bound for the budget, `percent_of_own_bound` for what the block itself costs.
    """
    law, params, macs = subject.law(unit), subject.params, subject.macs
    bound = law.bound(budget)
    for L, M in zip(*(array.tolist() for array in law.lattice(budget)), strict=True):
        yield {
            "budget": budget,
            "unit": unit,
            "S": subject.S,
            "L": L,
            "M": M,
            "width": L * M,
            "params": params.cost(L, M),
            "macs": macs.cost(L, M),
            **_shares(subject, unit, L, M, bound),
            "percent_of_own_bound": 100 * L * M / law.bound(law.cost(L, M)),
        }
