"""A convolution of any kernel, stride and grouping."""

from __future__ import annotations

from igcnas.execution.nodes.node import Node
from igcnas.execution.operators import Operators
from igcnas.execution.values import Use, Value
from igcnas.execution.weights import Convolved, Weight
from igcnas.network.primitives import Convolution


class Convolve(Node):
    """Its weight is (out, in / groups, k, k), wherever it comes from."""

    def __init__(self, ops: Operators, use: Use, layer: Convolution, groups: int, weight: Weight) -> None:
        super().__init__(ops)
        storage = ops.allocate(layer.out_channels, layer.out_size)
        self.out = Value(ops, layer.out_channels, layer.out_size, storage)
        self.convolved = Convolved(
            use=use, weight=weight, out=self.out, kernel=layer.kernel, stride=layer.stride, groups=groups
        )

    def forward(self, training: bool) -> None:
        """Convolve; take the statistics where a norm follows."""
        self.convolved.weight.refresh()
        self.ops.convolve(self.convolved, training and self.out.statistics)

    def backward(self) -> None:
        """The gradients of the weight and of the input."""
        gradient = self.taken(self.out)
        use = self.convolved.use
        into = self.buffer(use) if use.value.wanted else None
        self.ops.convolve_backward(self.convolved, gradient, into)
        self.convolved.weight.finish()
        self.done(self.out)
