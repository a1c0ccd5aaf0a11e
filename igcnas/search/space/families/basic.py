"""Families on basic blocks: ResNet, and the same gated image by image (MSGC)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.blocks import BasicBlock, Block
from igcnas.network.grouping import Dense, MultiSpectral
from igcnas.search.space.families.base import (
    ATTENTION,
    HEADS,
    KEEP,
    RESIDUAL,
    Axes,
    BlockFamily,
    Meaning,
    Values,
    grow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicFamily(BlockFamily):
    """Dense basic blocks (ResNet). scale is the width of the first stage."""

    meanings: ClassVar[Mapping[str, Meaning]] = {"residual": RESIDUAL}
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
        return BasicBlock(grouping=Dense(), residual=values["residual"]), grow(scale, factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedFamily(BlockFamily):
    """Residual basic blocks with MSGC: one head on the first convolution, `heads` on the second.

    keep: share of the input channels that a head keeps on average. scale is the width in multiples of the heads.
    """

    meanings: ClassVar[Mapping[str, Meaning]] = {"heads": HEADS, "keep": KEEP, "attention": ATTENTION}
    name: str = "msgc"
    heads: tuple[int, ...] = (2, 4)
    keep: tuple[float, ...] = (0.25, 0.5, 0.75)
    attention: tuple[bool, ...] = (False, True)
    activation: str = "relu"

    def axes(self) -> Axes:
        """Heads, share kept, attention."""
        return {"heads": self.heads, "keep": self.keep, "attention": self.attention}

    def unit(self, values: Values) -> int:
        """Heads divide the width."""
        return int(values["heads"])

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        keep, attention = values["keep"], values["attention"]
        block = BasicBlock(
            grouping=MultiSpectral(heads=1, keep=keep, attention=attention),
            second=MultiSpectral(heads=values["heads"], keep=keep, attention=attention),
        )
        return block, self.unit(values) * grow(scale, factor)
