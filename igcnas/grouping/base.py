"""What every kind of grouping answers."""

from __future__ import annotations

from typing import ClassVar, Protocol

from igcnas.primitives import Layer, Size


class Grouping(Protocol):
    """Frozen data that says which channels of a convolution meet."""

    kind: ClassVar[str]

    def check(self, in_channels: int, out_channels: int) -> None:
        """Raise ArchitectureError unless a convolution between these channels can have this grouping."""
        ...

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """Primitive layers of a kernel x kernel convolution with this grouping, permutations included."""
        ...

    def shortcut_groups(self, in_channels: int) -> int:
        """Groups of the 1x1 convolution on the shortcut of a residual block with this grouping."""
        ...

    def label(self) -> str:
        """The papers' short notation, as in L24M2 or G2."""
        ...
