"""What every block family of a search space answers, and what families share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from igcnas.network.blocks import Block

Values: TypeAlias = Mapping[str, Any]
Axes: TypeAlias = dict[str, tuple[Any, ...]]


class Meaning(NamedTuple):
    """What a field offers choices of, in words, and which values a choice may have."""

    what: str
    values: str


FROM_ONE, YES_OR_NO = "whole numbers from 1", "True, False"
RESIDUAL = Meaning("whether the block has a shortcut around it", YES_OR_NO)
EXPANSION = Meaning("channels in the middle of the block over those at its ends", FROM_ONE)
HEADS = Meaning("heads, each with input channels and filters of its own", FROM_ONE)
KEEP = Meaning("share of its input channels that a head keeps on average", "above 0, at most 1")
ATTENTION = Meaning("whether the channels that are kept are weighted, too", YES_OR_NO)


def grow(base: float, factor: float) -> int:
    """A whole number of at least 1 near base * factor."""
    return max(1, round(base * factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFamily(ABC):
    """The blocks that one row of a search space offers. Subclasses are frozen data; each field is a tuple of choices.

    The width is not a choice: it follows from `scale`, which the budget decides (igcnas/network/width.py), and from
    `factor`, the growth from the first stage to this one.
    """

    preactivation: ClassVar[bool] = False
    meanings: ClassVar[Mapping[str, Meaning]] = {}  # of its fields but name and activation, for people
    name: str
    activation: str = "relu"

    @abstractmethod
    def axes(self) -> Axes:
        """Names and choices of the family's own parameters, for Optuna."""

    @abstractmethod
    def unit(self, values: Values) -> int:
        """Channels of the first stage for a scale of 1."""

    @abstractmethod
    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage. Its MACs must not fall as scale grows."""

    def stem(self, width: int) -> int:
        """Channels of the stem in front of a first stage of this width."""
        return width

    def repeats(self, depth: int) -> int:
        """Blocks of a stage for a choice of depth."""
        return depth
