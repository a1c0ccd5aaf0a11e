"""Fully learnable group convolution: training assigns input channels and filters to groups.

Wang, Kan, Shan, Chen, "Fully Learnable Group Convolution for Acceleration of Deep Neural Networks", CVPR 2019
(arXiv:1904.00346). As published, groups may have any size, so the MACs are known only after training. `balanced` keeps
all groups equal in size, which makes the MACs exact before training and lets the result run as one group convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from igcnas.checks import require, require_bool, require_divides, require_positive
from igcnas.grouping.base import DecidedOnce
from igcnas.primitives import Convolution, Layer, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedGrouping(DecidedOnce):
    """`groups` groups of input channels and filters, assigned by training; on pointwise convolutions only."""

    kind: ClassVar[str] = "flgc"
    groups: int
    balanced: bool = True

    def __post_init__(self) -> None:
        require_positive(groups=self.groups)
        require_bool(balanced=self.balanced)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Equal groups must divide the channels; free groups must not outnumber them."""
        if self.balanced:
            require_divides(self.groups, in_channels, "the input of a balanced learned group convolution")
            require_divides(self.groups, out_channels, "the output of a balanced learned group convolution")
        require(
            self.groups <= min(in_channels, out_channels),
            f"{self.groups} learned groups are more than the channels, {min(in_channels, out_channels)}",
        )

    def connections(self, in_channels: int, out_channels: int) -> int:
        """Channel pairs that meet: exact when balanced, else the expectation (each with probability 1 / groups)."""
        return -(-in_channels * out_channels // self.groups)

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One 1x1 convolution whose mask is learned; no permutation, because the assignment contains it."""
        require(kernel == 1, f"learned grouping applies to 1x1 convolutions, not to {kernel}x{kernel}")
        return (Convolution(name, in_channels, out_channels, 1, stride, 1, in_size, self),)

    def decision_parameters(self, in_channels: int, out_channels: int) -> int:
        """A logit for each group of each input channel and of each filter."""
        return self.groups * (in_channels + out_channels)

    def label(self) -> str:
        """As in F4; unbalanced groups carry a u."""
        return f"F{self.groups}" + ("" if self.balanced else "u")
