"""Networks of equal MACs and equal depth that differ in L / (M S) alone, found by exact search over all (L, M).

Convention: S = 9 (3x3 kernels). A network is a stem convolution, three stages of equal numbers of IGC V1 blocks and a
linear layer. Its width G = L M is the same in all stages, so that every block has the same L, the same M and the same
ratio r = L / (M S): if the width doubled between stages, as in the paper, either L or M would, and r with it. Strides
are those of the paper's CIFAR networks. Residual blocks have a shortcut without weights. So the whole network costs

    MACs = a G (M S + L) + b G    for IGC,    MACs = a S C^2 + b C    for regular convolutions of width C

with one a (positions of all blocks) and one b (stem and classifier) for all. b G depends on the width alone: at equal
MACs of the whole network the widest one is still that of L = M S. a and b are read off counted plans, and the MACs of
each chosen network are counted from its own plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from igcnas.errors import BudgetError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import count
from igcnas.network.grouping import Dense, Interleaved
from igcnas.network.literature.common import blocks_of_depth, fit_strides

KERNEL_AREA = 9
RATIOS = tuple(Fraction(2) ** power for power in range(-3, 4))
SLACK = 0.5  # octaves: a block counts for the ratio that is asked for if it is as near as this
FEWEST = 5  # networks that a quadratic, and a look at how well it fits, need
_LARGEST = 2048  # of L and of M
_STEP = 0.0025  # between budgets that are tried
_STEPS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One network of the trial. kind: 'igc', or 'dense' (then L = 1, M = width, and it has no ratio).

    deviation: of its MACs from the budget, as a share. width_share: its width over the largest real width that an IGC
    network of its depth can have for its MACs.
    """

    name: str
    kind: str
    L: int
    M: int
    macs: int
    params: int
    deviation: float
    width_share: float
    architecture: Architecture

    @property
    def width(self) -> int:
        """Channels."""
        return self.L * self.M

    @property
    def ratio(self) -> float:
        """L / (M S)."""
        return self.L / (self.M * KERNEL_AREA) if self.kind == "igc" else math.nan


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """What all networks of a trial share. depth counts convolutions as the papers do: stem, blocks, linear layer."""

    input_shape: tuple[int, int, int]
    classes: int
    depth: int
    residual: bool

    def architecture(self, L: int, M: int, *, dense: bool = False) -> Architecture:
        """The network of width L M."""
        grouping = Dense() if dense else Interleaved(L=L, M=M)
        block = BasicBlock(grouping=grouping, residual=self.residual, shortcut="pad")
        repeats = blocks_of_depth(self.depth, units=2 if self.residual else 1)
        return Architecture(
            family="regular" if dense else "igcv1",
            input_shape=self.input_shape,
            num_classes=self.classes,
            stem_channels=L * M,
            stages=tuple(
                Stage(block=block, width=L * M, repeats=repeats, stride=stride)
                for stride in fit_strides((1, 2, 2), min(self.input_shape[1:]))
            ),
        )

    @cached_property
    def coefficients(self) -> tuple[int, int]:
        """a and b of the MACs, from two counted networks."""
        one, two = (count(self.architecture(L, 1)).macs for L in (1, 2))
        a = (two - 2 * one) // 2
        return a, one - (KERNEL_AREA + 1) * a

    @cached_property
    def lattice(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """L, M and MACs of all networks, by MACs."""
        a, b = self.coefficients
        L, M = (grid.ravel() for grid in np.meshgrid(np.arange(1, _LARGEST + 1), np.arange(1, 257)))
        macs = L * M * (a * (M * KERNEL_AREA + L) + b)
        order = np.argsort(macs, kind="stable")
        return L[order], M[order], macs[order]

    def entrant(self, L: int, M: int, budget: float, *, dense: bool = False) -> Entrant:
        """The network, counted."""
        architecture = self.architecture(L, M, dense=dense)
        cost = count(architecture)
        return Entrant(
            name=f"regular W{L * M}" if dense else f"L{L}M{M}",
            kind="dense" if dense else "igc",
            L=L,
            M=M,
            macs=cost.macs,
            params=cost.params,
            deviation=cost.macs / budget - 1,
            width_share=L * M / self.width_bound(cost.macs),
            architecture=architecture,
        )

    def width_bound(self, macs: float) -> float:
        """The largest real G that an IGC network of these MACs has, at L = M S: 2 a sqrt(S) G^1.5 + b G = MACs."""
        a, b = self.coefficients
        root_S = math.sqrt(KERNEL_AREA)
        low, high = 0.0, math.pow(macs / (2 * a * root_S), 2 / 3)
        for _ in range(200):
            middle = (low + high) / 2
            if 2 * a * root_S * middle * math.sqrt(middle) + b * middle < macs:
                low = middle
            else:
                high = middle
        return (low + high) / 2


def solutions(skeleton: Skeleton, budget: float, tolerance: float) -> list[tuple[int, int]]:
    """All (L, M) whose network is within the tolerance of the budget."""
    L, M, macs = skeleton.lattice
    low, high = np.searchsorted(macs, [math.ceil(budget * (1 - tolerance)), math.floor(budget * (1 + tolerance)) + 1])
    return list(zip(L[low:high].tolist(), M[low:high].tolist(), strict=True))


def _octaves(L: int, M: int, ratio: Fraction) -> float:
    return abs(math.log2(L / (M * KERNEL_AREA) / float(ratio)))


def choose(
    skeleton: Skeleton, budget: float, tolerance: float, ratios: Sequence[Fraction]
) -> dict[Fraction, tuple[int, int] | None]:
    """For each ratio the (L, M) within the tolerance that is nearest to it, at most SLACK away; None where none is.

    No two have the same M, so that no block stands for two ratios. Of two as near, that of the nearer MACs.
    """
    a, b = skeleton.coefficients
    found: dict[Fraction, tuple[int, int] | None] = dict.fromkeys(ratios)
    near = {
        (_octaves(L, M, ratio), abs(L * M * (a * (M * KERNEL_AREA + L) + b) - budget), ratio, (L, M))
        for L, M in solutions(skeleton, budget, tolerance)
        for ratio in ratios
        if _octaves(L, M, ratio) <= SLACK
    }
    taken: set[int] = set()  # values of M
    for _, _, ratio, block in sorted(near):
        if found[ratio] is None and block[1] not in taken:
            found[ratio] = block
            taken.add(block[1])
    return found


def dense_width(skeleton: Skeleton, budget: float, tolerance: float) -> int | None:
    """Width of the regular network nearest to the budget; None where it is not within the tolerance."""
    a, b = skeleton.coefficients
    root = (-b + math.sqrt(b * b + 4 * a * KERNEL_AREA * budget)) / (2 * a * KERNEL_AREA)
    costs = {C: a * KERNEL_AREA * C * C + b * C for C in (math.floor(root), math.ceil(root)) if C}
    best = min(costs, key=lambda C: abs(costs[C] - budget), default=0)
    return best if best and abs(costs[best] - budget) <= tolerance * budget else None


def complete(skeleton: Skeleton, budget: float, tolerance: float, ratios: Sequence[Fraction]) -> bool:
    """Whether every ratio and the regular convolution have a network there."""
    return (
        dense_width(skeleton, budget, tolerance) is not None
        and None not in choose(skeleton, budget, tolerance, ratios).values()
    )


def smallest_budget(skeleton: Skeleton, tolerance: float, ratios: Sequence[Fraction]) -> int | None:
    """The least budget (in steps of 0.25 %) at which every ratio and the regular convolution have a network."""
    budget = float(skeleton.lattice[2][0])
    for _ in range(_STEPS):
        if complete(skeleton, budget, tolerance, ratios):
            return round(budget)
        budget *= 1 + _STEP
    return None


def nearest_budget(skeleton: Skeleton, budget: float, tolerance: float, ratios: Sequence[Fraction]) -> int | None:
    """The budget nearest to this one, at most a factor of four away, at which nothing is left out."""
    for step in range(round(math.log(4) / math.log1p(_STEP))):
        for sign in (1, -1):
            near = round(budget * (1 + _STEP) ** (sign * step))
            if complete(skeleton, near, tolerance, ratios):
                return near
    return None


def entrants(
    skeleton: Skeleton, budget: int, tolerance: float, ratios: Sequence[Fraction]
) -> tuple[tuple[Entrant, ...], tuple[str, ...]]:
    """The networks of a trial, IGC by rising ratio and the regular one last; and what is left out, in words.

    BudgetError where too few ratios have a network, or none on one side of L = M S.
    """
    found = choose(skeleton, budget, tolerance, ratios)
    blocks = sorted((block for block in found.values() if block is not None), key=lambda lm: lm[0] / lm[1])
    logs = [math.log2(L / (M * KERNEL_AREA)) for L, M in blocks]
    left_out = [f"L/(MS) = {ratio}" for ratio, block in found.items() if block is None]
    if len(blocks) < FEWEST or not min(logs) < 0 < max(logs):
        other = nearest_budget(skeleton, budget, tolerance, ratios) or smallest_budget(skeleton, tolerance, ratios)
        way = (
            f"--budget-mflops {other / 1e6:g} has all of them and the regular convolution"
            if other
            else "try another --depth or a larger --tolerance"
        )
        raise BudgetError(
            f"at {budget / 1e6:g} MFLOPs within {100 * tolerance:g} % only {len(blocks)} of {len(found)} ratios have a "
            f"network; {FEWEST} are needed, on both sides of 1: {way}"
        )
    chosen = [skeleton.entrant(L, M, budget) for L, M in blocks]
    width = dense_width(skeleton, budget, tolerance)
    if width is None:
        left_out.append("the regular convolution")
    else:
        chosen.append(skeleton.entrant(1, width, budget, dense=True))
    return tuple(chosen), tuple(left_out)
