"""A convolution of any kernel, stride and grouping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igcnas.execution.nodes.node import Node
from igcnas.execution.values import Use, Value
from igcnas.execution.weights import Weight
from igcnas.network.primitives import Convolution

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Convolve(Node):
    """Its weight is (out, in / groups, k, k), wherever it comes from."""

    def __init__(self, ops: Operators, use: Use, layer: Convolution, groups: int, weight: Weight) -> None:
        super().__init__(ops)
        self.use, self.groups, self.stride, self.kernel, self.weight = use, groups, layer.stride, layer.kernel, weight
        storage = ops.allocate(layer.out_channels, layer.out_size)
        self.out = Value(ops, layer.out_channels, layer.out_size, storage)

    def forward(self, training: bool) -> None:
        """Convolve; take the statistics where a norm follows."""
        self.weight.refresh()
        self.ops.convolve(self, training and self.out.statistics)

    def backward(self) -> None:
        """Both gradients."""
        gradient = self.taken(self.out)
        into = self.buffer(self.use) if self.use.value.wanted else None
        self.ops.convolve_backward(self, gradient, into)
        self.weight.finish()
        self.done(self.out)
