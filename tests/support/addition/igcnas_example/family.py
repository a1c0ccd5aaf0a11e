"""A block family: inverted residuals whose pointwise convolutions read the strongest of their inputs."""

from dataclasses import dataclass

from igcnas.network.blocks import Block, InvertedResidual
from igcnas.search.space import Axes, BlockFamily, Values
from igcnas_example.grouping import Strongest


@dataclass(frozen=True, slots=True, kw_only=True)
class StrongestFamily(BlockFamily):
    """scale is the width of the first stage in multiples of 4."""

    name: str = "strongest"
    expansion: tuple[int, ...] = (1, 2)
    inputs: tuple[int, ...] = (2, 4)
    activation: str = "relu6"

    def axes(self) -> Axes:
        """What is searched: the expansion, and how many inputs are read."""
        return {"expansion": self.expansion, "inputs": self.inputs}

    def unit(self, values: Values) -> int:
        """Channels of the first stage for a scale of 1."""
        return 4

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """The block of a stage, and its width."""
        strongest = Strongest(inputs=values["inputs"])
        block = InvertedResidual(expansion=values["expansion"], expand=strongest, project=strongest)
        return block, 4 * max(1, round(scale * factor))


FAMILY = StrongestFamily()
