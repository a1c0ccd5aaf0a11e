"""Dynamic grouping convolution (Groupable ConvNet): binary gates choose the groups of a convolution.

Zhang, Li, Shao, Peng, Zhang, Wang, Luo, "Differentiable Learning-to-Group Channels via Groupable Convolutional Neural
Networks", ICCV 2019 (arXiv:1908.05867). C = 2^K channels; the mask is the Kronecker product of K factors, each all ones
(gate on) or the identity (gate off), so that s gates on make 2^(K - s) groups of 2^s channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from igcnas.network.grouping.base import DecidedOnce
from igcnas.network.learned import Marks
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require, require_bool, require_positive
from igcnas.units import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class KroneckerGrouping(DecidedOnce):
    """Gates that make about `groups` groups, a power of two, on convolutions of 2^K to 2^K channels.

    As published, a penalty on the connections of the whole network leads to C^2 / groups for each layer on average, and
    the MACs are known after training. `balanced`: exactly `groups` groups in every layer, training chooses which.
    """

    kind: ClassVar[str] = "dgconv"
    groups: int
    balanced: bool = True

    def __post_init__(self) -> None:
        require_positive(groups=self.groups)
        require(self.groups & (self.groups - 1) == 0, f"groups must be a power of two, but is {self.groups}")
        require_bool(balanced=self.balanced)

    def check(self, in_channels: int, out_channels: int) -> None:
        """As many channels out as in, a power of two, not fewer than the groups."""
        require(
            in_channels == out_channels and in_channels & (in_channels - 1) == 0,
            f"Kronecker gates need as many channels out as in and a power of two, not {in_channels} and {out_channels}",
        )
        require(
            self.groups <= in_channels, f"{counted(self.groups, 'group')} are more than the channels, {in_channels}"
        )

    def connections(self, in_channels: int, out_channels: int) -> int:
        """C^2 / groups: exact when balanced, else what the penalty aims at."""
        return in_channels * out_channels // self.groups

    @property
    def learned_instead(self) -> bool:
        """Of group convolutions."""
        return True

    def decision_parameters(self, in_channels: int, out_channels: int) -> int:
        """K gates."""
        return in_channels.bit_length() - 1

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One convolution whose mask is learned."""
        return (Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size, self),)

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """Groups, and whether there are exactly so many; one or as many as channels leave nothing."""
        if in_channels == 1 or (self.balanced and self.groups in (1, in_channels)):
            return None
        return self.kind, self.groups, self.balanced

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Gates read the bits of a channel's number."""
        return range(in_channels), range(out_channels)

    def caption(self, in_channels: int) -> str:
        """As its paper."""
        return f"DGConv: {'' if self.balanced else 'about '}{counted(self.groups, 'learned group')}"

    def label(self) -> str:
        """As in K32; a free number of groups carries a u."""
        return f"K{self.groups}" + ("" if self.balanced else "u")

    def title(self) -> str:
        """As in DGConv G = 32."""
        return f"DGConv G = {self.groups}"

    @property
    def exact_macs(self) -> bool:
        """A free number of groups is known after training."""
        return self.balanced

    @property
    def exact_params(self) -> bool:
        """A free number of groups is known after training."""
        return self.balanced
