"""What every block skeleton answers: what it consists of, and how it is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from igcnas.network.grouping import Grouping
from igcnas.network.grouping.base import partitions
from igcnas.network.primitives import Convolution, Layer, Size

_ROLES = {
    "reduce": "reduction",
    "spatial": "spatial",
    "restore": "restoration",
    "expand": "expansion",
    "depthwise": "depthwise",
    "project": "projection",
}


class Block(ABC):
    """Frozen data that says what a block consists of between given widths.

    kind: its name in stored networks. grows: whether its output is appended to its input, so that each block of a stage
    is wider than the one before.
    """

    __slots__ = ()
    kind: ClassVar[str]
    grows: ClassVar[bool] = False

    @abstractmethod
    def check(self, in_channels: int, out_channels: int) -> None:
        """Raise ArchitectureError unless a first block, and a further one, can have these widths."""

    @abstractmethod
    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one block."""

    @abstractmethod
    def label(self) -> str:
        """Its groupings and numbers, in short."""

    def out_channels(self, in_channels: int, width: int) -> int:
        """Channels behind it, in a stage of this width: the width."""
        return width

    def title(self, width: int) -> str:
        """What papers call it, with their parameters; width: of the block that is shown."""
        return f"{self.kind} block, {self.label()}"

    def grouping_of(self, part: str) -> Grouping | None:
        """The grouping that made the convolutions whose names start with this word; None for none of its own."""
        found = getattr(self, part, None)
        return found if isinstance(found, Grouping) else None

    def role(self, part: str) -> str:
        """What the convolutions whose names start with this word do; '' where that goes without saying."""
        return _ROLES.get(part, "")

    def caption(self, layer: Convolution) -> str:
        """What papers call one of its convolutions, as 'role: partitions'; either may be missing."""
        part, _, detail = layer.name.partition("_")
        role, grouping = self.role(part), self.grouping_of(part)
        if part == "depthwise":
            words = "depthwise"
        elif layer.learned is not None:
            words = layer.learned.caption(layer.in_channels)
        elif grouping is not None:
            words = grouping.partitions(layer, part=part, detail=detail)
        else:
            words = partitions(layer, part=part)
        if not role or words == role:
            return words
        return f"{role}: {words.replace(': ', ', ')}" if words else role
