"""What every kind of grouping answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Protocol

from igcnas.network.learned import Marks, Overhead
from igcnas.network.primitives import Layer, Size
from igcnas.system.checks import require


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


class DecidedOnce(ABC):
    """What learned groupings share whose connections are the same for every image."""

    kind: ClassVar[str]

    def kept(self, in_channels: int, out_channels: int) -> int:
        """The pairs that meet."""
        return self.connections(in_channels, out_channels)

    @abstractmethod
    def connections(self, in_channels: int, out_channels: int) -> int:
        """Pairs that meet."""

    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        """Nothing: the decision is in the weights."""
        return Overhead()

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """All of its fields, for a kind that does not know better: networks that differ in one have two ids."""
        require(is_dataclass(self), f"{type(self).__name__} must be a dataclass: its fields are what it is")
        return type(self).kind, *(getattr(self, one.name) for one in fields(self))  # type: ignore[arg-type]

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Each by its place, for a kind that does not know better: one network may then have two ids, never two one."""
        return range(in_channels), range(out_channels)

    def caption(self, in_channels: int) -> str:
        """Its kind and its short notation."""
        return f"{type(self).kind}: {self.label()}, learned"

    @abstractmethod
    def label(self) -> str:
        """The short notation."""

    def shortcut_groups(self, in_channels: int) -> int:
        """A dense projection: the body's groups are not known before training."""
        return 1
