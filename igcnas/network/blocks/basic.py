"""Spatial convolutions in sequence: ResNet, IGC V1, IGC V2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.blocks.base import Block
from igcnas.network.blocks.common import (
    body,
    padding,
    projection,
    require_grouping,
    require_kernel,
    unwrapped,
)
from igcnas.network.grouping import Grouping
from igcnas.network.primitives import Activation, Layer, Norm, Residual, Sequence, Size, halve
from igcnas.system.checks import require, require_bool

SHORTCUTS = ("projection", "pad", "alike")


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicBlock(Block):
    """Two units and a shortcut (He et al., CVPR 2016), or one unit if not residual. Unit: convolution, norm, ReLU.

    `second`: grouping of the second convolution where it differs. `shortcut`: what stands where the shape changes, a
    1x1 'projection' (option B), 'pad' (option A: every stride-th pixel, zeros for new channels), or a 1x1 convolution
    with the grouping of the first one ('alike').
    """

    kind: ClassVar[str] = "basic"
    grouping: Grouping
    second: Grouping | None = None
    kernel: int = 3
    residual: bool = True
    shortcut: str = "projection"

    def __post_init__(self) -> None:
        require_kernel(self.kernel)
        require_bool(residual=self.residual)
        require_grouping(self.kernel, grouping=self.grouping)
        if self.second is not None:
            require_grouping(self.kernel, second=self.second)
            require(self.residual, "a plain block has one convolution and no second grouping")
        require(
            self.shortcut != "alike" or not self.grouping.reads_block,
            "shortcut 'alike' cannot be masked for each image: only the body sees the summary of its input",
        )
        require(self.shortcut in SHORTCUTS, f"shortcut must be one of {SHORTCUTS}, but is {self.shortcut!r}")

    def check(self, in_channels: int, out_channels: int) -> None:
        """The grouping must fit both the step between the widths and the width itself."""
        self.grouping.check(in_channels, out_channels)
        self.grouping.check(out_channels, out_channels)
        if self.second is not None:
            self.second.check(out_channels, out_channels)
        if self.residual and self.shortcut == "pad":
            require(in_channels <= out_channels, f"a padded shortcut cannot go from {in_channels} to {out_channels}")

    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one block."""
        out_size = halve(in_size, stride)
        first = (
            *self.grouping.layers("conv1", in_channels, out_channels, self.kernel, stride, in_size),
            Norm("norm1", out_channels, out_size),
            Activation("act1", activation, out_channels, out_size),
        )
        if not self.residual:
            return unwrapped(first, in_channels)
        second = (
            *(self.second or self.grouping).layers("conv2", out_channels, out_channels, self.kernel, 1, out_size),
            Norm("norm2", out_channels, out_size),
        )
        shortcut: tuple[Layer, ...] = ()
        if stride != 1 or in_channels != out_channels:
            if self.shortcut == "pad":
                shortcut = padding(in_channels, out_channels, stride, in_size)
            elif self.shortcut == "alike":
                mixed = self.grouping.layers("conv", in_channels, out_channels, 1, stride, in_size)
                shortcut = (*mixed, Norm("norm", out_channels, out_size))
            else:
                groups = self.grouping.shortcut_groups(in_channels)
                shortcut = projection(in_channels, out_channels, stride, groups, in_size)
        return (
            Residual("residual", body((*first, *second), in_channels), Sequence("shortcut", shortcut)),
            Activation("act2", activation, out_channels, out_size),
        )

    def label(self) -> str:
        """Groupings, and whether the block is plain."""
        second = f"-{self.second.label()}" if self.second is not None else ""
        return self.grouping.label() + second + ("" if self.residual else " plain")

    def title(self, width: int) -> str:
        """By its first grouping: IGC V1, IGC V2, or a basic block."""
        name = self.grouping.blocks.get(self.kind, "Basic block" if self.residual else "Plain unit")
        second = "" if self.second is None or self.second == self.grouping else f"; second {self.second.title()}"
        return f"{name}, {self.grouping.title()}{second}"

    def grouping_of(self, part: str) -> Grouping | None:
        """Of conv1, of conv2."""
        return self.second if part == "conv2" and self.second is not None else self.grouping

    def role(self, part: str) -> str:
        """None: one follows the other."""
        return ""
