"""Steps that take pixels together or leave some out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from igcnas.execution.nodes.node import Node
from igcnas.execution.values import Use, Value
from igcnas.network.primitives import PadShortcut, Pool

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Pooling(Node):
    """Max or average over windows."""

    def __init__(self, ops: Operators, use: Use, layer: Pool) -> None:
        super().__init__(ops)
        self.use, self.layer = use, layer
        self.out = Value(ops, layer.channels, layer.out_size, ops.allocate(layer.channels, layer.out_size))
        self.places = ops.places(layer.channels, layer.out_size)

    def forward(self, training: bool) -> None:
        """Pool."""
        self.ops.pool(self.layer, self.use.value, self.out, self.places)
        if training and self.out.statistics:
            self.ops.statistics(self.out)

    def backward(self) -> None:
        """To the pixels that were taken."""
        if self.use.value.wanted:
            gradient = self.ops.settled(self.taken(self.out), self.out)
            self.ops.pool_backward(self.layer, gradient, self.use, self.places, self.buffer(self.use))
        self.done(self.out)


class Sample(Node):
    """Every stride-th pixel, and zeros for the channels that are new."""

    def __init__(self, ops: Operators, use: Use, layer: PadShortcut) -> None:
        super().__init__(ops)
        self.use, self.stride = use, layer.stride
        self.before = (layer.out_channels - layer.in_channels) // 2
        height, width = use.value.size
        size = (-(-height // layer.stride), -(-width // layer.stride))
        self.out = Value(ops, layer.out_channels, size, ops.allocate(layer.out_channels, size))

    def forward(self, training: bool) -> None:
        """Sample and pad."""
        self.ops.sample(self.use.value, self.stride, self.before, self.out)
        if training and self.out.statistics:
            self.ops.statistics(self.out)

    def backward(self) -> None:
        """To the pixels that were taken."""
        if self.use.value.wanted:
            gradient = self.ops.settled(self.taken(self.out), self.out)
            self.ops.sample_backward(gradient, self.stride, self.before, self.use, self.buffer(self.use))
        self.done(self.out)


class Mean(Node):
    """Mean over the pixels, as a torch leaf (batch, channels) for what autograd does behind it.

    `pending`: tensors made from it, each with the leaf that has its gradient.
    """

    def __init__(self, ops: Operators, use: Use) -> None:
        super().__init__(ops)
        self.use = use
        self.held = ops.means(use.value.channels)
        self.leaf: torch.Tensor
        self.pending: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, training: bool) -> None:
        """The mean."""
        self.ops.mean(self.use.value, self.held)
        self.leaf = self.ops.leaf(self.held).requires_grad_(training)
        self.pending = []

    def backward(self) -> None:
        """Through what was made from it; then equally to all pixels."""
        found = [(made, leaf.grad) for made, leaf in self.pending if leaf.grad is not None]
        self.pending = []
        if found:
            torch.autograd.backward([made for made, _ in found], [gradient for _, gradient in found])
        if self.use.value.wanted:
            self.ops.mean_backward(self.leaf.grad, self.use, self.buffer(self.use))
