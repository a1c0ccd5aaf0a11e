"""What every kind of grouping answers; and what kinds share that training decides.

All that other parts of the program want to know of a kind they ask it here: nothing outside this package tests which
kind it has. What needs torch is in igcnas/modules/layers, by the name of the kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

from igcnas.network.learned import Marks, Overhead
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require
from igcnas.units import counted


class Grouping(ABC):
    """Frozen data that says which channels of a convolution meet.

    kind: its name in stored networks. pointwise: whether it is for 1x1 convolutions alone. consecutive_groups: groups
    of neighbouring channels that never meet, which a block may have to permute; 0 for any other arrangement. blocks:
    what papers call a block with it, by the kind of the block. moves_channels: whether it places permutations itself,
    so that one which moves nothing need not be drawn. reads_block: whether each image chooses by a mean of the input of
    the block. torch_module: for a kind of another package that training decides, the class in igcnas.modules.layers'
    sense, as 'package.module:Class'.
    """

    __slots__ = ()
    kind: ClassVar[str]
    pointwise: ClassVar[bool] = False
    blocks: ClassVar[Mapping[str, str]] = {}
    moves_channels: ClassVar[bool] = False
    reads_block: ClassVar[bool] = False
    torch_module: ClassVar[str] = ""

    @abstractmethod
    def check(self, in_channels: int, out_channels: int) -> None:
        """Raise ArchitectureError unless a convolution between these channels can have this grouping."""

    @abstractmethod
    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """Primitive layers of a kernel x kernel convolution with this grouping, permutations included."""

    @abstractmethod
    def label(self) -> str:
        """The papers' short notation, as in L24M2 or G2."""

    def title(self) -> str:
        """As it stands in the title of a block, as in L = 24, M = 2."""
        return self.label()

    def shortcut_groups(self, in_channels: int) -> int:
        """Groups of the 1x1 convolution on the shortcut of a residual block with this grouping: a dense projection."""
        return 1

    @property
    def learned_instead(self) -> bool:
        """Whether training decides groups that the same family can also have fixed: figures tell the two apart."""
        return False

    @property
    def consecutive_groups(self) -> int:
        """Groups of neighbouring channels that a block may have to permute; 0 for any other arrangement."""
        return 0

    def partitions(self, layer: Convolution, *, part: str, detail: str) -> str:
        """What papers call the partitions of one of its convolutions; '' where there is nothing to say.

        part and detail: the words of the layer's name before and behind its first underscore, as in conv1_primary.
        """
        return partitions(layer, part=part)


def partitions(layer: Convolution, *, part: str) -> str:
    """Partitions of a group convolution, counted on the layer itself; '' for a dense one, whose heading says so."""
    if layer.groups == 1:
        return ""
    letter = {"expand": "G1", "project": "G2"}.get(part, "G")
    return f"{letter} = {counted(layer.groups, 'partition')}"


class DecidedByTraining(Grouping):
    """What kinds share that training decides. They answer `Learned`, and have a torch module that decides.

    chooses_per_image: whether each image chooses anew, so that nothing can be left out after training. counter: the
    convention (igcnas/network/conventions) of its authors' counter, which alone knows how to count it.
    """

    __slots__ = ()
    chooses_per_image: ClassVar[bool] = False
    counter: ClassVar[str] = ""

    @property
    def exact_macs(self) -> bool:
        """Whether training leaves the multiply-accumulates as they were planned."""
        return True

    @property
    def exact_params(self) -> bool:
        """Whether training leaves the parameters as they were planned."""
        return True

    @abstractmethod
    def connections(self, in_channels: int, out_channels: int) -> int:
        """Pairs that meet in one image."""

    @abstractmethod
    def kept(self, in_channels: int, out_channels: int) -> int:
        """Pairs that keep a weight after training."""

    @abstractmethod
    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        """What deciding costs in the trained network."""

    def decision_parameters(self, in_channels: int, out_channels: int) -> int:
        """None: the weights decide, or what decides stays."""
        return 0

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """All of its fields, for a kind that does not know better: networks that differ in one have two ids."""
        require(is_dataclass(self), f"{type(self).__name__} must be a dataclass: its fields are what it is")
        return type(self).kind, *(getattr(self, one.name) for one in fields(self))  # type: ignore[arg-type]

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Each by its place, for a kind that does not know better.

        The same network may then get two ids, but different networks never share one.
        """
        return range(in_channels), range(out_channels)

    def caption(self, in_channels: int) -> str:
        """Its kind and its short notation."""
        return f"{type(self).kind}: {self.label()}, learned"

    def heads_of(self, out_channels: int) -> tuple[int, ...] | None:
        """The head that makes each filter, where heads choose; else None."""
        return None

    def gate_arguments(self, in_channels: int, context_channels: int) -> dict[str, Any]:
        """What the module that stays after training is made with, beside its shape, where each image chooses."""
        raise TypeError(f"a {self.kind} convolution has no gates")


class DecidedOnce(DecidedByTraining):
    """Kinds whose connections are the same for every image."""

    __slots__ = ()

    def kept(self, in_channels: int, out_channels: int) -> int:
        """The pairs that meet."""
        return self.connections(in_channels, out_channels)

    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        """Nothing: the decision is in the weights."""
        return Overhead()


class ChosenByImage(DecidedByTraining):
    """Kinds of which each image chooses the inputs of each of `heads` heads anew: no weight can be left out."""

    __slots__ = ()
    chooses_per_image: ClassVar[bool] = True
    heads: int
    keep: float

    def kept(self, in_channels: int, out_channels: int) -> int:
        """All: another image may need them."""
        return in_channels * out_channels

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Filters by their head; inputs are alike."""
        return None, list(self.heads_of(out_channels))

    def heads_of(self, out_channels: int) -> tuple[int, ...]:
        """Equal shares, in order."""
        return tuple(filter_ * self.heads // out_channels for filter_ in range(out_channels))
