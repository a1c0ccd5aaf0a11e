"""Block families of a search space: which choices there are, and the blocks that they mean.

A family's fields are tuples of choices. `axes` names them for Optuna; `stage` turns chosen values into the block and
the width of one stage. The width is not a choice: it follows from `scale`, which the budget decides (igcnas/width.py),
and from `factor`, the growth from the first stage to this one. To add a family: a class here, and its name in Family.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from igcnas.blocks import BasicBlock, Block, InvertedResidual
from igcnas.errors import SpaceError
from igcnas.grouping import Dense, Group, Grouping, Interleaved, LearnedGrouping

Values: TypeAlias = Mapping[str, Any]
Axes: TypeAlias = dict[str, tuple[Any, ...]]


def _grow(base: float, factor: float) -> int:
    return max(1, round(base * factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicFamily:
    """Dense basic blocks (ResNet). scale is the width of the first stage."""

    name: str = "resnet"
    residual: tuple[bool, ...] = (True,)
    activation: str = "relu"

    def axes(self) -> Axes:
        """Whether blocks have a shortcut."""
        return {"residual": self.residual}

    def unit(self, values: Values) -> int:
        """Channels of the first stage for a scale of 1."""
        return 1

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        return BasicBlock(grouping=Dense(), residual=values["residual"]), _grow(scale, factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterleavedFamily:
    """IGC V1. scale is L of the first stage, M is in the first stage, and M = 1 is the Xception block.

    `grows`: whether M or L carries the growth of the width. `learned`: training chooses the secondary partitions.
    """

    name: str = "igcv1"
    M: tuple[int, ...] = (1, 2, 3, 4, 8)
    grows: tuple[str, ...] = ("M", "L")
    residual: tuple[bool, ...] = (True, False)
    learned: tuple[bool, ...] = (False,)
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not set(self.grows) <= {"M", "L"}:
            raise SpaceError(f"grows of family {self.name!r} offers M, L or both, not {self.grows}")

    def axes(self) -> Axes:
        """M, what grows, shortcut, fixed or learned."""
        return {"M": self.M, "grows": self.grows, "residual": self.residual, "learned": self.learned}

    def unit(self, values: Values) -> int:
        """C = L * M."""
        return int(values["M"])

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        L, M = (
            (_grow(scale, 1.0), _grow(values["M"], factor))
            if values["grows"] == "M"
            else (_grow(scale, factor), values["M"])
        )
        # The same network must have the same id: one secondary partition leaves nothing to learn, and where the width
        # stays nothing is widened.
        widen = "secondary" if values["grows"] == "L" and factor != 1.0 else "primary"
        grouping = Interleaved(L=L, M=M, learned=values["learned"] and M > 1, widen=widen)
        return BasicBlock(grouping=grouping, residual=values["residual"]), L * M


@dataclass(frozen=True, slots=True, kw_only=True)
class InvertedFamily:
    """MobileNetV2 (G1 = G2 = 1) and IGC V3. scale is the width of the first stage in multiples of lcm(G1, G2).

    `learned`: training assigns channels to the G1 and G2 groups (balanced FLGC), and no permutation is needed.
    """

    name: str
    expansion: tuple[int, ...] = (2, 3, 4, 5, 6)
    G1: tuple[int, ...] = (1,)
    G2: tuple[int, ...] = (1,)
    learned: tuple[bool, ...] = (False,)
    expand_activation: bool
    activation: str = "relu6"

    def axes(self) -> Axes:
        """Expansion, G1, G2, fixed or learned."""
        return {"expansion": self.expansion, "G1": self.G1, "G2": self.G2, "learned": self.learned}

    def unit(self, values: Values) -> int:
        """Every width is a multiple of both numbers of groups."""
        return math.lcm(values["G1"], values["G2"])

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        block = InvertedResidual(
            expansion=values["expansion"],
            expand=_pointwise(values["G1"], learned=values["learned"]),
            project=_pointwise(values["G2"], learned=values["learned"]),
            expand_activation=self.expand_activation,
        )
        return block, self.unit(values) * _grow(scale, factor)


def _pointwise(groups: int, *, learned: bool) -> Grouping:
    if groups == 1:
        return Dense()
    return LearnedGrouping(groups=groups) if learned else Group(groups=groups)


Family: TypeAlias = BasicFamily | InterleavedFamily | InvertedFamily
