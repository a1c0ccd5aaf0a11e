"""Dense convolution and plain group convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.grouping.base import Grouping
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require_divides, require_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Grouping):
    """Every input channel meets every output channel."""

    kind: ClassVar[str] = "dense"
    blocks: ClassVar[Mapping[str, str]] = {"dense_layer": "DenseNet layer"}

    def check(self, in_channels: int, out_channels: int) -> None:
        """Any channels will do."""

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One convolution."""
        return (Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size),)

    def label(self) -> str:
        """'dense'."""
        return "dense"


DENSE = Dense()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Grouping):
    """`groups` partitions of consecutive channels that do not meet."""

    kind: ClassVar[str] = "group"
    groups: int

    def __post_init__(self) -> None:
        require_positive(groups=self.groups)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Groups divide the channels on both sides."""
        require_divides(self.groups, in_channels, "the input of a group convolution")
        require_divides(self.groups, out_channels, "the output of a group convolution")

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One group convolution; the block decides on permutations around it."""
        return (Convolution(name, in_channels, out_channels, kernel, stride, self.groups, in_size),)

    def shortcut_groups(self, in_channels: int) -> int:
        """The shortcut has the groups of the body."""
        return self.groups

    def label(self) -> str:
        """As in G2."""
        return f"G{self.groups}"

    def title(self) -> str:
        """As in G = 2."""
        return f"G = {self.groups}"

    @property
    def consecutive_groups(self) -> int:
        """The groups: the block decides on permutations around them."""
        return self.groups
