"""How wide an interleaved group convolution can be for its parameters: every integer (L, M) against the closed form.

Zhang et al., ICCV 2017 (arXiv:1707.02725), section 3 and Fig. 3. An IGC block of width G = L M with a kernel of S taps
has T = L M^2 S + M L^2 weights, so that T^2 - 4 S G^3 = G^2 (M S - L)^2 >= 0: G is at most (T / (2 sqrt S))^(2/3), and
exactly that where L = M S. At stride 1 the MACs are T for each position of the output, so a budget in MACs has the same
optimum. This is about width alone; in the paper's Fig. 3 accuracy is best near the widest block, not at it.
Weights are those of the convolutions, without batch norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from igcnas.blocks import BasicBlock
from igcnas.cost import Cost, layer_cost
from igcnas.errors import BudgetError
from igcnas.grouping import Grouping, Interleaved
from igcnas.primitives import Convolution, Size

Integers: TypeAlias = npt.NDArray[np.int64]
Row: TypeAlias = dict[str, int | float | str]

MAP: Size = (32, 32)  # a CIFAR image; any size gives the same MACs for each position
LARGEST_BUDGET = 10**10  # the lattice grows as T^(2/3): 20 million points here, a few seconds
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
# (L, M) of the first stage, where the paper uses it; all have 3x3 kernels.
PUBLISHED = (
    *((24, 2, "CIFAR"), (4, 8, "CIFAR"), (16, 32, "CIFAR, large"), (32, 26, "CIFAR, large"), (450, 2, "CIFAR, large")),
    *((4, 32, "ImageNet"), (16, 16, "ImageNet"), (100, 2, "ImageNet"), (28, 3, "Fig. 3"), (41, 5, "Fig. 3")),
)


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


def wider_than_regular(L: int, M: int, S: int) -> bool:
    """Whether L * M exceeds the width of a regular convolution of equal weights: L / (L - 1) < M S and L > 1.

    Multiplied by L - 1, so that L = 1 needs no case of its own.
    """
    return L < M * S * (L - 1)


def corner_cases(S: int, up_to: int) -> list[tuple[int, int]]:
    """(L, M) with 1 < L, both at most `up_to`, that are no wider than a regular convolution; none from S = 3 on."""
    sizes = range(1, up_to + 1)
    return [(L, M) for L in sizes[1:] for M in sizes if not wider_than_regular(L, M, S)]


def count_convolutions(grouping: Grouping, width: int, S: int, size: Size = MAP) -> Cost:
    """MACs and weights of the convolutions of one block at stride 1, from its plan; S is the square of the kernel."""
    block = BasicBlock(grouping=grouping, kernel=math.isqrt(S), residual=False)
    layers = block.layers(width, width, 1, size, "relu")
    costs = [layer_cost(layer) for layer in layers if isinstance(layer, Convolution)]
    return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """An IGC block, with weights and MACs (on a map of size MAP) counted from its plan."""

    L: int
    M: int
    S: int
    params: int
    macs: int

    @property
    def width(self) -> int:
        """G, channels."""
        return self.L * self.M


def configuration(L: int, M: int, S: int) -> Configuration:
    """The block with these partitions, counted."""
    cost = count_convolutions(Interleaved(L=L, M=M), L * M, S)
    return Configuration(L=L, M=M, S=S, params=cost.params, macs=cost.macs)


def frontier(T: int, S: int) -> Integers:
    """The largest L for each M = 1, 2, ... such that the block has at most T weights; exact, by integer roots."""
    if T < S + 1:
        raise BudgetError(f"no block with kernel area {S} has {T} parameters or fewer; the smallest has {S + 1}")
    if T > LARGEST_BUDGET:
        raise BudgetError(f"a budget of {T} parameters is too large to enumerate; at most {LARGEST_BUDGET}")
    most = (math.isqrt(1 + 4 * S * T) - 1) // (2 * S)  # the largest M beside L = 1, where T = M^2 S + M
    largest = [(math.isqrt(M**4 * S**2 + 4 * M * T) - M * M * S) // (2 * M) for M in range(1, most + 1)]
    return np.array(largest, dtype=np.int64)


def lattice(T: int, S: int) -> tuple[Integers, Integers]:
    """All (L, M) whose block has at most T weights, as two arrays of one length."""
    largest = frontier(T, S)
    M = np.repeat(np.arange(1, len(largest) + 1), largest)
    L = np.concatenate([np.arange(1, top + 1) for top in largest])
    return L, M


def widest(T: int, S: int) -> Configuration:
    """The widest block of at most T weights; of equally wide ones that with the fewest weights, then the smallest M."""
    L, M = lattice(T, S)
    first = np.lexsort((M, formula(L, M, S), -L * M))[0]
    return configuration(int(L[first]), int(M[first]), S)


def optimum(T: int, S: int) -> Row:
    """Widest integer block within a budget of T weights beside the closed form; widths are channels."""
    best, (L, M), bound = widest(T, S), closed_form(T, S), width_bound(T, S)
    closed = {"closed_L": L, "closed_M": M, "closed_width": L * M, "bound": bound}
    shares = {"percent_of_bound": 100 * best.width / bound, "L_over_MS": best.L / (best.M * S)}
    counts = {"L": best.L, "M": best.M, "width": best.width, "params": best.params, "macs_32x32": best.macs}
    return {"budget": T, "S": S, **counts, **closed, **shares, "regular_width": math.sqrt(T / S)}


def published(L: int, M: int, where: str) -> Row:
    """A block of the paper against the bound for its own weights, not for a nominal budget; widths are channels."""
    block = configuration(L, M, PAPER_KERNEL_AREA)
    bound = width_bound(block.params, block.S)
    names = {"network": f"IGC-{Interleaved(L=L, M=M).label()}", "where": where}
    counts = {"width": block.width, "params": block.params, "bound": bound}
    shares = {"percent_of_bound": 100 * block.width / bound, "L_over_MS": L / (M * block.S)}
    wider = "yes" if wider_than_regular(L, M, block.S) else "no"
    return {**names, **counts, **shares, "regular_width": math.sqrt(block.params / block.S), "wider": wider}
