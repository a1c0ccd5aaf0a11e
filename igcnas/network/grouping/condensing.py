"""Learned group convolution (CondenseNet): each group of filters drops its least important inputs during training.

Huang, Liu, van der Maaten, Weinberger, "CondenseNet", CVPR 2018 (arXiv:1711.09224), section 3. Filter o is of group
o % groups. In each of factor - 1 condensing stages every group drops 1 / factor of the input channels, those with the
smallest sum of absolute weights; what is left becomes a gather and one group convolution, and channels may serve
several groups or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from igcnas.network.grouping.base import DecidedOnce
from igcnas.network.learned import Marks
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require, require_divides, require_positive
from igcnas.units import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Condensing(DecidedOnce):
    """`groups` groups of filters, each of which keeps 1 / `factor` of the input channels; on pointwise convolutions."""

    kind: ClassVar[str] = "condensing"
    pointwise: ClassVar[bool] = True
    blocks: ClassVar[Mapping[str, str]] = {"dense_layer": "CondenseNet layer"}
    groups: int
    factor: int

    def __post_init__(self) -> None:
        require_positive(groups=self.groups, factor=self.factor)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Groups divide the filters; the factor is not above the input channels."""
        require_divides(self.groups, out_channels, "the output of a condensing convolution")
        require(
            self.factor <= in_channels,
            f"a condensation factor of {self.factor} leaves nothing of {in_channels} input channels",
        )

    def kept_inputs(self, in_channels: int) -> int:
        """Input channels that a group keeps: each stage drops the whole part of in_channels / factor."""
        return in_channels - (self.factor - 1) * (in_channels // self.factor)

    def connections(self, in_channels: int, out_channels: int) -> int:
        """Exact before training."""
        return self.kept_inputs(in_channels) * out_channels

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One 1x1 convolution whose mask is learned; the interleaved groups contain the shuffle."""
        require(kernel == 1, f"condensing applies to 1x1 convolutions, not to {kernel}x{kernel}")
        return (Convolution(name, in_channels, out_channels, 1, stride, 1, in_size, self),)

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """With factor 1 nothing is dropped, but a group lasso, where a recipe has one, still knows the groups."""
        return self.kind, self.groups, self.factor

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Filter o is of group o % groups; inputs are alike."""
        return None, [filter_ % self.groups for filter_ in range(out_channels)]

    def caption(self, in_channels: int) -> str:
        """As its paper."""
        return f"condensing: {counted(self.groups, 'group')} keep {self.kept_inputs(in_channels)} inputs each"

    def label(self) -> str:
        """As in C4 for G = 4 groups and factor 4, else C4G8."""
        return f"C{self.factor}" + ("" if self.groups == self.factor else f"G{self.groups}")

    def title(self) -> str:
        """As in C = 4, G = 8."""
        return f"C = {self.factor}" + ("" if self.groups == self.factor else f", G = {self.groups}")
