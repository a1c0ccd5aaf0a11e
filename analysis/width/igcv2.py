"""The width optimum of IGC V2: branch sizes of a product of sparse kernels, and how many kernels to take.

Xie et al., CVPR 2018 (arXiv:1804.06202). n kernels with branches of K1, ..., Kn channels (the paper's L is our n) have
C (S K1 + K2 + ... + Kn) weights per position; exactly one path joins each pair of channels where K1 K2 ... Kn = C. By
the inequality of the means the sum is at least n (S C)^(1/n), with equality where S K1 = K2 = ... = Kn: the paper's
condition of balance. Over n it is smallest at n = ln(S C).

That bound lets K1 be any positive number. At balance K1 = (S C)^(1/n) / S, which is below 1 as soon as C < S^(n - 1):
with 3x3 kernels and three kernels, for all C < 81. No kernel has less than one channel in a branch. Our bound, `least`,
asks for K1 >= 1: it is the paper's where that gives K1 >= 1, and else C (S + (n - 1) C^(1 / (n - 1))), at K1 = 1 and
equal others. Its best number of kernels is 1 + ln C for S > e, one depthwise and ln C pointwise ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from analysis.width.lattice import Row
from analysis.width.law import Integers
from igcnas.blocks import BasicBlock
from igcnas.cost import Cost, layer_cost
from igcnas.errors import BudgetError
from igcnas.grouping import SparseProduct
from igcnas.grouping.product import balanced_branches, least_weights, most_kernels, weights
from igcnas.paths import PathSummary, path_counts, summarize
from igcnas.primitives import Convolution, Layer, Size

MAP: Size = (32, 32)
MOST_LISTED = 5_000  # channels, where every product is listed
MOST_CHANNELS = 100_000  # of the enumeration: the sums of all factorisations of each width, a few seconds
# Fig. 3 of the paper, CIFAR-100, read off the picture: kernels, percent right. The widest of them has 5, about 192
# channels. Our source gives neither the budget nor whether the spatial kernel is counted.
FIG3 = ((1, 62.8), (2, 65.05), (3, 65.35), (4, 65.1), (5, 64.25), (8, 60.3))
FIG3_WIDEST, FIG3_WIDTH = 5, 192
PUBLISHED_K = (1, 8, 8)  # IGCV2*-C416
PUBLISHED_WIDTHS = (416, 832, 1664)
_NONE = 2**60  # above every sum


def least(C: float, n: int, S: int) -> float:
    """The fewest weights of n kernels of width C under the strict condition, over real branch sizes of 1 or more."""
    balance = math.pow(S * C, 1 / n)
    if n == 1 or balance >= S:
        return n * C * balance
    return C * (S + (n - 1) * math.pow(C, 1 / (n - 1)))


def best_kernels(C: float, S: int) -> tuple[float, float]:
    """The real number of kernels with the fewest weights: the paper's ln(S C), and that with branch sizes of 1 or more.

    >>> [round(number, 2) for number in best_kernels(64, 9)]
    [6.36, 5.16]
    """
    relaxed = math.log(S * C)
    return relaxed, 1 + math.log(C) if math.e < S else relaxed


def widest_relaxed(T: float, n: int, S: int) -> float:
    """The widest real C for n kernels by the paper's bound: n C (S C)^(1/n) = T."""
    return math.pow(T / (n * math.pow(S, 1 / n)), n / (n + 1))


def widest_real(T: float, n: int, S: int) -> float:
    """The widest real C for n kernels with branch sizes of 1 or more: `least` equals T."""
    relaxed = widest_relaxed(T, n, S)
    if n == 1 or relaxed >= math.pow(S, n - 1):  # K1 >= 1 at balance
        return relaxed
    return _root(lambda C: least(C, n, S) - T, 0.0, relaxed)


def widest_of_any(T: float, S: int) -> tuple[float, float]:
    """The widest real C over any real number of kernels: by the paper's bound, and with branch sizes of 1 or more.

    e C ln(S C) = T, hence C = exp(W(S T / e)) / S with Lambert's W; with K1 >= 1 the same with e^(S / e) for S.
    """
    log_S = math.log(S)
    return _lambert(T, log_S), _lambert(T, S / math.e if math.e < S else log_S)


def _lambert(T: float, log_s: float) -> float:
    """C with e C (ln C + log_s) = T: C s = y, y ln y = s T / e, and ln y = W(s T / e); in logarithms."""
    wanted = log_s + math.log(T) - 1  # w + ln w
    w = _root(lambda w: w + math.log(w) - wanted, 1e-12, max(wanted, 1.0) + 1)
    return math.exp(w - log_s)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is zero, by halving."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return high


def layers(
    K: tuple[int, ...], C: int, *, S: int = 9, size: Size = MAP, stride: int = 1, restore: bool = True
) -> tuple[Layer, ...]:
    """The real plan of one block."""
    grouping = SparseProduct(K=K, restore=restore)
    block = BasicBlock(grouping=grouping, kernel=math.isqrt(S), residual=False)
    block.check(C, C)
    return block.layers(C, C, stride, size, "relu")


def counted(K: tuple[int, ...], C: int, *, S: int = 9, size: Size = MAP, stride: int = 1) -> Cost:
    """MACs and weights of the convolutions, from the real plan."""
    costs = [
        layer_cost(layer) for layer in layers(K, C, S=S, size=size, stride=stride) if isinstance(layer, Convolution)
    ]
    return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))


def paths(K: tuple[int, ...], C: int, *, restore: bool = True) -> PathSummary:
    """Paths of the pairs of channels, from the real plan."""
    return summarize(path_counts(layers(K, C, restore=restore), C))


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


def kernels_for_width(C: int, S: int) -> list[Row]:
    """For each number of kernels that this width allows, the best branch sizes beside both bounds."""
    rows: list[Row] = []
    for n in range(1, most_kernels(C) + 1):
        K = balanced_branches(C, n, math.isqrt(S))
        params, bound = counted(K, C, S=S).params, least(C, n, S)
        rows.append(
            {
                **{"C": C, "S": S, "kernels": n, "K": label(K), "params": params, "bound": bound},
                **{"paper_bound": least_weights(C, n, math.isqrt(S)), "over_bound": params / bound},
                "ways": sum(orders(branching) for branching in branchings(C, n)),
            }
        )
    return rows


def widths_for_budget(T: int, S: int, *, size: Size = MAP) -> list[Row]:
    """For each number of kernels the widest C within T weights beside both bounds; stops where no C fits."""
    rows: list[Row] = []
    most = int(widest_of_any(T, S)[0] * (1 + 1e-12)) + 1
    for n, fewest in cheapest(most, S):
        fitting = np.flatnonzero((fewest >= 0) & (fewest <= T))
        if len(fitting) < 2:  # C = 0 costs nothing
            break
        C, bound = int(fitting[-1]), widest_real(T, n, S)
        K = balanced_branches(C, n, math.isqrt(S))
        cost = counted(K, C, S=S, size=size)
        rows.append(
            {
                **{"budget": T, "S": S, "kernels": n, "K": label(K), "width": C, "params": cost.params},
                **{"macs": cost.macs, "bound": bound, "percent_of_bound": 100 * C / bound},
                "paper_bound": widest_relaxed(T, n, S),
            }
        )
    if not rows:
        raise BudgetError(f"no product with kernel area {S} has {T} weights or fewer; the smallest has {S}")
    return rows


def best(rows: list[Row]) -> Row:
    """The widest of them; of equally wide ones the cheapest, then that with the fewest kernels."""
    return min(rows, key=lambda row: (-int(row["width"]), int(row["params"]), int(row["kernels"])))


def lattice_rows(T: int, S: int, *, size: Size = MAP) -> Iterator[Row]:
    """Every product of sparse kernels within T weights that meets the strict condition; see `branchings`."""
    widest = int(widest_of_any(T, S)[0])
    if widest > MOST_LISTED:
        raise BudgetError(f"a budget of {T} is too large to list: up to {widest:,} channels, at most {MOST_LISTED:,}")
    for n in itertools.count(1):
        found = False
        for C in range(1, int(widest_real(T, n, S) * (1 + 1e-12)) + 1):
            for K in branchings(C, n):
                params = weights(K, C, math.isqrt(S))
                if params <= T:
                    found = True
                    yield {
                        **{"budget": T, "S": S, "kernels": n, "K": label(K), "width": C, "params": params},
                        **{"macs": params * size[0] * size[1], "orders": orders(K)},
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
            **{"network": "IGCV2*-C416", "stage": number, "C": C, "K": label(K), "params": params},
            "percent_of_pairs": 100 * (1 - meeting.unconnected / meeting.pairs),
            **{"strict_K": label(strict), "strict_params": counted(strict, C).params},
            **{"bound": whole, "paper_bound": paper},
        }


def label(K: tuple[int, ...]) -> str:
    """As in 1x8x8."""
    return "x".join(map(str, K))
