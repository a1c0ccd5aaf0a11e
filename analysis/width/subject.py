"""What a budget is for: one block of IGC V1, that block with its batch norm, a widening block, or a whole network.

Each is counted from its real plan, as is the regular convolution in its place; `law` reads the polynomials from these
counts. A *widening* block goes from L M to 2 L M channels by doubling M, as where a stage of the paper's networks
begins; (L, M) are those before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import Cost, count, layer_cost
from igcnas.network.grouping import Dense, Grouping, Interleaved
from igcnas.network.literature import igc, regconv
from igcnas.network.primitives import Convolution, Norm, Size
from igcnas.system.checks import require

from .law import Law, Quadratic, law_of, quadratic_of

KINDS = {
    "block": "the two convolutions of a block, as in the paper",
    "norm": "a block with the scale and shift of its batch norm",
    "widening": "the convolutions of a block that doubles M, and with it the width",
    "network": "the plain network on CIFAR of a depth, all layers",
}
MAP: Size = (32, 32)  # a CIFAR image


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is counted. `S`: taps of the spatial kernel; `size`: (height, width) of the input; `depth`: of a network."""

    kind: str = "block"
    S: int = 9
    size: Size = MAP
    stride: int = 1
    depth: int = 20

    def __post_init__(self) -> None:
        require(self.kind in KINDS, f"kind must be one of {list(KINDS)}, but is {self.kind!r}")
        if self.kind == "network":
            height, width = self.size
            require(self.S == 9, f"the networks of the paper have kernel area 9, not {self.S}")
            require(self.stride == 1, "the stages of a network have strides of their own; leave the stride at 1")
            require(height == width, f"the networks of the paper are for square images, not {height}x{width}")
            require(height >= 4, f"a network needs images of 4x4 or more, not {height}x{width}")

    def count(self, L: int, M: int) -> Cost:
        """MACs and parameters of the interleaved block or network, from its plan."""
        if self.kind == "network":
            return count(igc(L=L, M=M, depth=self.depth, size=self.size[0]))
        out = 2 * M if self.kind == "widening" else M
        return self._block(Interleaved(L=L, M=out), L * M, L * out)

    def count_regular(self, width: int) -> Cost:
        """The same with regular convolutions."""
        if self.kind == "network":
            return count(regconv(width=width, depth=self.depth, size=self.size[0]))
        return self._block(Dense(), width, 2 * width if self.kind == "widening" else width)

    def _block(self, grouping: Grouping, in_channels: int, out_channels: int) -> Cost:
        block = BasicBlock(grouping=grouping, kernel=math.isqrt(self.S), residual=False)
        layers = block.layers(in_channels, out_channels, self.stride, self.size, "relu")
        kinds = (Convolution, Norm) if self.kind == "norm" else (Convolution,)
        costs = [layer_cost(layer) for layer in layers if isinstance(layer, kinds)]
        return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))

    @cached_property
    def params(self) -> Law:
        """Parameters over (L, M)."""
        return law_of(lambda L, M: self.count(L, M).params)

    @cached_property
    def macs(self) -> Law:
        """MACs of one image over (L, M)."""
        return law_of(lambda L, M: self.count(L, M).macs)

    @cached_property
    def regular_params(self) -> Quadratic:
        """Parameters of regular convolutions over their width."""
        return quadratic_of(lambda width: self.count_regular(width).params)

    @cached_property
    def regular_macs(self) -> Quadratic:
        """MACs of regular convolutions over their width."""
        return quadratic_of(lambda width: self.count_regular(width).macs)

    def law(self, unit: str) -> Law:
        """The law of 'params' or 'macs'."""
        return self.params if unit == "params" else self.macs

    def regular(self, unit: str) -> Quadratic:
        """The cost of regular convolutions in 'params' or 'macs'."""
        return self.regular_params if unit == "params" else self.regular_macs

    def wider_than_regular(self, L: int, M: int, unit: str = "params") -> bool:
        """Whether regular convolutions as wide as this would cost more: in integers, hence exact."""
        return self.regular(unit).cost(L * M) > self.law(unit).cost(L, M)
