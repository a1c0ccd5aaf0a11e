"""Steps that move no data: norm, activation, permutation. They make another value of the same storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from igcnas.execution.nodes.node import Node
from igcnas.execution.values import ACTIVATIONS, AFFINE, Gradient, Use, Value

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Normalise(Node):
    """Batch norm: an affine map that is pending. Its input has nothing pending but an order."""

    def __init__(self, ops: Operators, use: Use, module: nn.BatchNorm2d) -> None:
        super().__init__(ops)
        self.use, self.norm = use, ops.norm(module)
        source = use.value
        source.origin.statistics = True
        self.out = Value(ops, source.channels, source.size, source.storage, like=source)
        self.out.scale, self.out.shift = ops.ones(len(source.rows)), ops.zeros(len(source.rows))
        self.out.mean, self.out.inverse = ops.zeros(len(source.rows)), ops.ones(len(source.rows))
        self.out.code, self.out.normed, self.out.wanted = AFFINE, True, True  # its parameters want a gradient
        self.a, self.b, self.c = (ops.ones(len(source.rows)) for _ in range(3))

    def forward(self, training: bool) -> None:
        """From the sums that the producer has taken to scale and shift."""
        if training:
            self.ops.normalise(self.norm, self.use.value, self.out)
        else:
            self.ops.normalise_by_running(self.norm, self.out)

    def backward(self) -> None:
        """Gradients of scale and shift; the input's gradient stays lazy."""
        g = self.taken(self.out).g
        self.ops.norm_backward(self.norm, self.out, self.a, self.b, self.c)
        lazy = Gradient(g, self.out.storage, self.a, self.b, self.c, True)
        self.hand_over(self.use, lazy, self.use.value.gsums)
        self.done(self.out)


class Activate(Node):
    """An activation that is pending."""

    def __init__(self, ops: Operators, use: Use, kind: str) -> None:
        super().__init__(ops)
        self.use = use
        source = use.value
        self.out = Value(ops, source.channels, source.size, source.storage, like=source)
        self.out.code = ACTIVATIONS[kind]

    def forward(self, training: bool) -> None:
        """Nothing to do."""

    def backward(self) -> None:
        """The last consumer has applied the derivative."""
        if self.out.wanted:
            self.hand_over(self.use, self.taken(self.out), self.out.gsums)
            self.done(self.out)


class Permute(Node):
    """Output channel j is input channel indices[j]."""

    def __init__(self, ops: Operators, use: Use, indices: tuple[int, ...]) -> None:
        super().__init__(ops)
        self.use = use
        source = use.value
        self.out = Value(ops, source.channels, source.size, source.storage, like=source)
        self.out.rows = ops.reorder(source.rows, indices)
        self.out.ordered = ops.in_order(self.out.rows)

    def forward(self, training: bool) -> None:
        """Nothing to do."""

    def backward(self) -> None:
        """Gradients are in the order of storage."""
        if self.out.wanted:
            self.hand_over(self.use, self.taken(self.out), self.out.gsums)
            self.done(self.out)
