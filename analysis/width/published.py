"""How far the published networks of IGC V1 are from the width optimum: each stage, and each network as a whole.

In the paper's networks L stays and M doubles from stage to stage (on ImageNet also the reverse), so L / (M S) halves
(or doubles): at most one stage can be at the optimum of a block. What is widest as a whole is another question. Stages
differ in how many positions they have, so that the answer in MACs is not that in parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from igcnas.network.architecture import Architecture
from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import Cost, count
from igcnas.network.grouping import Interleaved
from igcnas.network.literature import igc

from .lattice import FIG3, PAPER_KERNEL_AREA, Row, point, width_bound
from .law import Law, law_of
from .subject import Subject

S = PAPER_KERNEL_AREA  # all of them have 3x3 kernels


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A published network; `depth` counts convolutions."""

    L: int
    M: int
    depth: int
    residual: bool = False
    dataset: str = "cifar"
    doubles: str = "M"

    @property
    def name(self) -> str:
        """As in the papers."""
        return f"IGC-L{self.L}M{self.M}{'+Ident' if self.residual else ''} D={self.depth}"

    def architecture(self) -> Architecture:
        """With the paper's rule in transitions (`transition=clean`)."""
        return igc(
            L=self.L,
            M=self.M,
            depth=self.depth,
            residual=self.residual,
            doubles=self.doubles,
            dataset=self.dataset,
        )

    def count(self) -> Cost:
        """MACs and parameters of the whole network, from its plan."""
        return count(self.architecture())


def _depths(L: int, M: int, depths: tuple[int, ...], *, residual: bool = False) -> tuple[Network, ...]:
    return tuple(Network(L=L, M=M, depth=depth, residual=residual) for depth in depths)


NETWORKS = (
    *_depths(24, 2, (8, 14, 20, 26, 32, 38, 44, 50, 62, 98)),
    *_depths(4, 8, (20, 38, 62)),
    *_depths(24, 2, (20, 38, 50, 62, 74, 98), residual=True),
    *_depths(4, 8, (20, 38, 62), residual=True),
    *(Network(L=L, M=M, depth=20, residual=True) for L, M in ((16, 32), (32, 26), (450, 2))),
    *(Network(L=L, M=M, depth=18, residual=True, dataset="imagenet") for L, M in ((4, 32), (16, 16))),
    Network(L=100, M=2, depth=18, residual=True, dataset="imagenet", doubles="L"),
)


def stage_row(name: str, stage: str, L: int, M: int) -> Row:
    """A block against the bound for its own weights, not for a nominal budget; widths are channels."""
    subject = Subject(S=S)
    block = point(subject, L, M)
    bound = width_bound(int(block["params"]), S)
    return {
        "network": name,
        "stage": stage,
        **{key: block[key] for key in ("L", "M", "width", "params")},
        "bound": bound,
        "percent_of_bound": 100 * L * M / bound,
        "L_over_MS": L / (M * S),
        "regular_width": subject.regular_params.width(int(block["params"])),
        "wider": "yes" if subject.wider_than_regular(L, M) else "no",
    }


def stages() -> Iterator[Row]:
    """Each stage of each published network that has stages of its own (they do not depend on the depth)."""
    seen: set[tuple[int, int, str]] = set()
    for network in NETWORKS:
        if (key := (network.L, network.M, network.dataset)) in seen:
            continue
        seen.add(key)
        where = "ImageNet" if network.dataset == "imagenet" else "CIFAR"
        for number, stage in enumerate(network.architecture().stages, start=1):
            assert isinstance(stage.block, BasicBlock)
            assert isinstance(stage.block.grouping, Interleaved)
            grouping = stage.block.grouping
            yield stage_row(f"IGC-L{network.L}M{network.M}", f"{where}, {number}", grouping.L, grouping.M)


def fig3_rows() -> Iterator[Row]:
    """The points of Fig. 3, each against the bound for its own weights, with the paper's accuracy."""
    for T, points in FIG3.items():
        for L, M, accuracy in points:
            yield {**stage_row(f"T = {T:,}", "Fig. 3", L, M), "accuracy": accuracy}


@cache
def network_law(network: Network, unit: str) -> Law:
    """The cost of networks like this one over (L, M) of the first stage."""

    def total(L: int, M: int) -> int:
        cost = replace(network, L=L, M=M).count()
        return cost.params if unit == "params" else cost.macs

    return law_of(total, step=2 if network.doubles == "L" else 1)  # half of M is in the stem there


def network_row(network: Network, unit: str) -> Row:
    """A whole network among all (L, M) of its kind: the widest that costs no more, and the real bound."""
    law = network_law(network, unit)
    cost = network.count()
    budget = cost.params if unit == "params" else cost.macs
    L, M = law.widest(budget)
    bound = law.bound(budget)
    width = network.L * network.M
    return {
        "network": network.name,
        "unit": unit,
        "cost": budget,
        "width": width,
        "bound": bound,
        "percent_of_bound": 100 * width / bound,
        "best_L_over_MS": law.best_ratio / S,
        "L_over_MS": network.L / (network.M * S),
        "widest": f"L{L}M{M}",
        "widest_width": L * M,
    }


def whole_networks(unit: str) -> Iterator[Row]:
    """Every published network."""
    return (network_row(network, unit) for network in NETWORKS)
