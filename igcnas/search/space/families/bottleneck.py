"""Families on bottlenecks: ResNeXt, and its groups learned by Kronecker gates (DGConv)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.errors import SpaceError
from igcnas.network.blocks import Block, Bottleneck
from igcnas.network.grouping import Dense, Group, Grouping, KroneckerGrouping
from igcnas.search.space.families.base import FROM_ONE, Axes, BlockFamily, Meaning, Values, grow


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupableFamily(BlockFamily):
    """Bottlenecks whose spatial convolution has 2^K channels, so that gates can choose among all its group numbers.

    The width is free; the middle has the largest power of two that is at most width / ratio channels, and never fewer
    channels than groups count. `learned`: gates choose the groups (DGConv), else they are those of ResNeXt.
    """

    meanings: ClassVar[Mapping[str, Meaning]] = {
        "groups": Meaning("groups of the 3x3 convolution; at most so many where they are learned", "powers of two"),
        "ratio": Meaning("width of the block over the channels in its middle, about", FROM_ONE),
        "learned": Meaning("whether gates choose the groups in training (DGConv); else ResNeXt", "True, False"),
    }
    name: str = "resnext"
    groups: tuple[int, ...] = (2, 4, 8, 16)
    ratio: tuple[int, ...] = (1, 2)
    learned: tuple[bool, ...] = (True, False)
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not all(type(groups) is int and groups == _power_of_two(groups) for groups in self.groups):
            raise SpaceError(f"groups of family {self.name!r} are powers of two, not {self.groups}")
        if not all(type(ratio) is int and ratio >= 1 for ratio in self.ratio):
            raise SpaceError(f"ratio of family {self.name!r} offers whole numbers from 1, not {self.ratio}")

    def axes(self) -> Axes:
        """Groups, width over middle, learned or fixed."""
        return {"groups": self.groups, "ratio": self.ratio, "learned": self.learned}

    def unit(self, values: Values) -> int:
        """Any width will do."""
        return 1

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        width = grow(scale, factor)
        mid = max(values["groups"], _power_of_two(width // values["ratio"]))
        return Bottleneck(mid=mid, spatial=_spatial(values["groups"], mid, learned=values["learned"])), width


def _spatial(groups: int, mid: int, *, learned: bool) -> Grouping:
    """The same network must have the same id: one group, and a group a channel, leave nothing to learn."""
    if groups == 1:
        return Dense()
    return KroneckerGrouping(groups=groups) if learned and groups < mid else Group(groups=groups)


def _power_of_two(number: int) -> int:
    """The largest one that is not above the number; 1 at least."""
    return 1 << (max(1, number).bit_length() - 1)
