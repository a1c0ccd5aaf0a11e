"""Tables of IGC V2: kernels for a width, widths for a budget, every product within it, and the published network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from igcnas.errors import BudgetError
from igcnas.network.grouping.product import balanced_branches, least_weights, most_kernels, weights
from igcnas.network.primitives import Size

from .factors import branchings, cheapest, orders
from .igcv2 import (
    MAP,
    PUBLISHED_K,
    PUBLISHED_WIDTHS,
    counted,
    label,
    least,
    paths,
    widest_of_any,
    widest_real,
    widest_relaxed,
)
from .lattice import Row

MOST_LISTED = 5_000  # channels, where every product is listed


def kernels_for_width(C: int, S: int) -> list[Row]:
    """For each number of kernels that this width allows, the best branch sizes beside both bounds."""
    rows: list[Row] = []
    for n in range(1, most_kernels(C) + 1):
        K = balanced_branches(C, n, math.isqrt(S))
        params, bound = counted(K, C, S=S).params, least(C, n, S)
        rows.append(
            {
                "C": C,
                "S": S,
                "kernels": n,
                "K": label(K),
                "params": params,
                "bound": bound,
                "paper_bound": least_weights(C, n, math.isqrt(S)),
                "over_bound": params / bound,
                "ways": sum(orders(branching) for branching in branchings(C, n)),
            }
        )
    return rows


def widths_for_budget(T: int, S: int, *, size: Size = MAP, stride: int = 1) -> list[Row]:
    """For each number of kernels the widest C within T weights beside both bounds; stops where no C fits."""
    rows: list[Row] = []
    most = int(widest_of_any(T, S)[0] * (1 + 1e-12)) + 1
    for n, fewest in cheapest(most, S):
        fitting = np.flatnonzero((fewest >= 0) & (fewest <= T))
        if not len(fitting):
            break
        C, bound = int(fitting[-1]), widest_real(T, n, S)
        K = balanced_branches(C, n, math.isqrt(S))
        cost = counted(K, C, S=S, size=size, stride=stride)
        rows.append(
            {
                "budget": T,
                "S": S,
                "kernels": n,
                "K": label(K),
                "width": C,
                "params": cost.params,
                "macs": cost.macs,
                "bound": bound,
                "percent_of_bound": 100 * C / bound,
                "paper_bound": widest_relaxed(T, n, S),
            }
        )
    if not rows:
        raise BudgetError(f"no product with kernel area {S} has {T} weights or fewer; the smallest has {S}")
    return rows


def best(rows: list[Row]) -> Row:
    """The widest of them; of equally wide ones the cheapest, then that with the fewest kernels."""
    return min(rows, key=lambda row: (-int(row["width"]), int(row["params"]), int(row["kernels"])))


def lattice_rows(T: int, S: int, *, size: Size = MAP, stride: int = 1) -> Iterator[Row]:
    """Every product of sparse kernels within T weights that meets the strict condition; see `branchings`."""
    widest = int(widest_of_any(T, S)[0])
    if widest > MOST_LISTED:
        raise BudgetError(f"a budget of {T} is too large to list: up to {widest:,} channels, at most {MOST_LISTED:,}")
    positions = math.prod(-(-side // stride) for side in size)
    for n in itertools.count(1):
        found = False
        for C in range(1, int(widest_real(T, n, S) * (1 + 1e-12)) + 1):
            for K in branchings(C, n):
                params = weights(K, C, math.isqrt(S))
                if params <= T:
                    found = True
                    yield {
                        "budget": T,
                        "S": S,
                        "kernels": n,
                        "K": label(K),
                        "width": C,
                        "params": params,
                        "macs": params * positions,
                        "orders": orders(K),
                        "over_bound": params / least(C, n, S),
                    }
        if not found:
            return


def published_rows() -> Iterator[Row]:
    """IGCV2*-C416, each stage: what its weights could do under the strict condition, and what it gave up instead."""
    S, K = 9, PUBLISHED_K
    for number, C in enumerate(PUBLISHED_WIDTHS, start=1):
        params, meeting = counted(K, C).params, paths(K, C, restore=False)
        strict = balanced_branches(C, len(K))
        paper, whole = widest_of_any(params, S)
        yield {
            "network": "IGCV2*-C416",
            "stage": number,
            "C": C,
            "K": label(K),
            "params": params,
            "percent_of_pairs": 100 * (1 - meeting.unconnected / meeting.pairs),
            "strict_K": label(strict),
            "strict_params": counted(strict, C).params,
            "bound": whole,
            "paper_bound": paper,
        }
