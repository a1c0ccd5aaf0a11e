"""What every block family of a search space answers, and what families share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from igcnas.network.blocks import Block

Values: TypeAlias = Mapping[str, Any]
Axes: TypeAlias = dict[str, tuple[Any, ...]]


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
