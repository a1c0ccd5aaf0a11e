"""Families on dense layers: CondenseNet, and the same with groups that each image chooses (DGC)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.errors import SpaceError
from igcnas.network.blocks import Block, DenseLayer
from igcnas.network.grouping import Condensing, DynamicChannels, Group, Grouping
from igcnas.search.space.families.base import FROM_ONE, Axes, BlockFamily, Meaning, Values, grow

REDUCE = ("condensing", "dgc")


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFamily(BlockFamily):
    """Dense layers whose 1x1 convolution keeps 1 / factor of its inputs in each of `groups` groups.

    reduce: 'condensing' drops inputs for good during training (CondenseNet), 'dgc' for each image anew. The 3x3
    convolution has as many groups. scale is the growth in multiples that groups and factor divide; a choice of depth d
    means d * layers dense layers.
    """

    preactivation: ClassVar[bool] = True
    meanings: ClassVar[Mapping[str, Meaning]] = {
        "reduce": Meaning(
            "how the 1x1 convolution loses inputs: for good in training, or for each image", "condensing, dgc"
        ),
        "groups": Meaning("groups of the 1x1 convolution and of the 3x3", FROM_ONE),
        "factor": Meaning("of so many inputs each group keeps one", FROM_ONE),
        "layers": Meaning("dense layers for a depth of 1", "one whole number from 1"),
    }
    name: str = "condensenet"
    reduce: tuple[str, ...] = REDUCE
    groups: tuple[int, ...] = (2, 4)
    factor: tuple[int, ...] = (2, 4)
    layers: int = 4
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not set(self.reduce) <= set(REDUCE):
            raise SpaceError(f"reduce of family {self.name!r} offers {' or '.join(REDUCE)}, not {self.reduce}")

    def axes(self) -> Axes:
        """Kind of the 1x1 convolution, groups, factor."""
        return {"reduce": self.reduce, "groups": self.groups, "factor": self.factor}

    def unit(self, values: Values) -> int:
        """Groups divide the growth, and the factor divides the inputs of every layer."""
        return math.lcm(values["groups"], values["factor"])

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and growth of a stage."""
        groups, share = values["groups"], values["factor"]
        reduce: Grouping = Condensing(groups=groups, factor=share)
        if values["reduce"] == "dgc":
            reduce = DynamicChannels(heads=groups, keep=1 / share)
        return DenseLayer(reduce=reduce, spatial=Group(groups=groups)), self.unit(values) * grow(scale, factor)

    def stem(self, width: int) -> int:
        """Twice the growth, as the authors have it."""
        return 2 * width

    def repeats(self, depth: int) -> int:
        """Dense layers are small; a stage has several for one choice of depth."""
        return depth * self.layers
