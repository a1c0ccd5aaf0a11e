"""Gates that each image sets: the input of a gated convolution, times what its generators say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from igcnas.execution.nodes.node import Node
from igcnas.execution.nodes.pooling import Mean
from igcnas.execution.values import Use, Value
from igcnas.layers.gated import GatedConv, SalientConv

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Gate(Node):
    """One gated copy of the input for each head. The generators are small, and stay with autograd."""

    def __init__(self, ops: Operators, use: Use, module: GatedConv | SalientConv, context: Mean) -> None:
        super().__init__(ops)
        self.use, self.module, self.context = use, module, context
        source = use.value
        channels = module.heads * source.channels
        self.out = Value(ops, channels, source.size, ops.allocate(channels, source.size))
        self.gates: torch.Tensor

    def forward(self, training: bool) -> None:
        """Ask the generators; multiply."""
        self.gates = self.module.gates(self.context.leaf)
        self.ops.gate(self.use.value, self.gates.detach(), self.out)

    def backward(self) -> None:
        """To the input, and through the generators to their parameters and the context."""
        gradient = self.ops.settled(self.taken(self.out), self.out)
        into = self.buffer(self.use) if self.use.value.wanted else None
        dgates = self.ops.gate_backward(gradient, self.gates.detach(), self.use, into)
        torch.autograd.backward([self.gates], [dgates])
        self.done(self.out)
