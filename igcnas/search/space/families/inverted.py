"""Families on inverted residuals: MobileNetV2, IGC V3, FLGC, and the same gated image by image (MSGC)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.blocks import Block, InvertedResidual
from igcnas.network.grouping import Dense, Group, Grouping, LearnedGrouping, MultiSpectral
from igcnas.search.space.families.base import (
    ATTENTION,
    EXPANSION,
    FROM_ONE,
    HEADS,
    KEEP,
    YES_OR_NO,
    Axes,
    BlockFamily,
    Meaning,
    Values,
    grow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvertedFamily(BlockFamily):
    """MobileNetV2 (G1 = G2 = 1) and IGC V3. scale is the width of the first stage in multiples of lcm(G1, G2).

    `learned`: training assigns channels to the G1 and G2 groups (balanced FLGC), and no permutation is needed.
    """

    meanings: ClassVar[Mapping[str, Meaning]] = {
        "expansion": EXPANSION,
        "G1": Meaning("groups of the first 1x1 convolution, which widens", FROM_ONE),
        "G2": Meaning("groups of the second 1x1 convolution, which narrows", FROM_ONE),
        "learned": Meaning("whether training assigns channels to the groups (FLGC)", YES_OR_NO),
        "expand_activation": Meaning(
            "whether an activation follows the first 1x1 convolution; in MobileNetV2, not in IGC V3",
            "one of True, False",
        ),
    }
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
        return block, self.unit(values) * grow(scale, factor)


def _pointwise(groups: int, *, learned: bool) -> Grouping:
    if groups == 1:
        return Dense()
    return LearnedGrouping(groups=groups) if learned else Group(groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedInvertedFamily(BlockFamily):
    """MobileNetV2 with MSGC on the projection, where its authors place it. scale is the width in multiples of heads."""

    meanings: ClassVar[Mapping[str, Meaning]] = {
        "expansion": EXPANSION,
        "heads": HEADS,
        "keep": KEEP,
        "attention": ATTENTION,
    }
    name: str = "msgc-mobilenetv2"
    expansion: tuple[int, ...] = (2, 3, 4, 5, 6)
    heads: tuple[int, ...] = (2, 4)
    keep: tuple[float, ...] = (0.25, 0.5, 0.75)
    attention: tuple[bool, ...] = (False, True)
    activation: str = "relu6"

    def axes(self) -> Axes:
        """Expansion, heads, share kept, attention."""
        return {"expansion": self.expansion, "heads": self.heads, "keep": self.keep, "attention": self.attention}

    def unit(self, values: Values) -> int:
        """Heads divide the width."""
        return int(values["heads"])

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        gated = MultiSpectral(heads=values["heads"], keep=values["keep"], attention=values["attention"])
        block = InvertedResidual(expansion=values["expansion"], expand=Dense(), project=gated)
        return block, self.unit(values) * grow(scale, factor)
