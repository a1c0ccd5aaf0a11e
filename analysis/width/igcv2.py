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

import math
from collections.abc import Callable

from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import Cost, layer_cost
from igcnas.network.grouping import SparseProduct
from igcnas.network.paths import PathSummary, path_counts, summarize
from igcnas.network.primitives import Convolution, Layer, Size

MAP: Size = (32, 32)
# Fig. 3 of the paper, CIFAR-100, read off the picture: kernels, percent right. The widest of them has 5, about 192
# channels. Our source gives neither the budget nor whether the spatial kernel is counted.
FIG3 = ((1, 62.8), (2, 65.05), (3, 65.35), (4, 65.1), (5, 64.25), (8, 60.3))
FIG3_WIDEST, FIG3_WIDTH = 5, 192
PUBLISHED_K = (1, 8, 8)  # IGCV2*-C416
PUBLISHED_WIDTHS = (416, 832, 1664)


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


def label(K: tuple[int, ...]) -> str:
    """As in 1x8x8."""
    return "x".join(map(str, K))
