"""Gates that each image sets: the input of a gated convolution, times what its generators say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from igcnas.execution.nodes.node import Node
from igcnas.execution.nodes.pooling import Mean
from igcnas.execution.values import Use, Value
from igcnas.modules.layers.learned import GatedModule

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Gate(Node):
    """One gated copy of the input for each head. The generators are small, and stay with autograd.

    What the loss wants of a generator (a penalty, a share) is read from leaves that stand in for what it remembers, so
    that one pass goes back through all generators that share a context: that of the context's mean.
    """

    def __init__(self, ops: Operators, use: Use, module: GatedModule, context: Mean) -> None:
        super().__init__(ops)
        self.use, self.module, self.context = use, module, context
        source = use.value
        channels = module.heads * source.channels
        self.out = Value(ops, channels, source.size, ops.allocate(channels, source.size))
        self.gates: torch.Tensor

    def forward(self, training: bool) -> None:
        """Ask the generators; multiply."""
        if training:
            self.gates = self.module.gates_by(self.context.leaf, self.ops.generate)
        else:
            self.gates = self.module.gates(self.context.leaf)  # type: ignore[operator]
        if training:
            self.context.pending += [(made, leaf) for made, leaf in self._leaves()]
        self.ops.gate(self.use.value, self.gates.detach(), self.out)

    def _leaves(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """What the module remembers, and the leaf that stands in for it now."""
        for name in self.module.remembers:
            made = getattr(self.module, name)
            leaf = made.detach().requires_grad_()
            setattr(self.module, name, leaf)
            yield made, leaf

    def backward(self) -> None:
        """To the input; the gates' gradient waits for those of the others with this context."""
        gradient = self.ops.settled(self.taken(self.out), self.out)
        into = self.buffer(self.use) if self.use.value.wanted else None
        leaf = self.gates.detach()
        leaf.grad = self.ops.gate_backward(gradient, leaf, self.use, into)
        if self.gates.requires_grad:  # hard gates may have no gradient of their own
            self.context.pending.append((self.gates, leaf))
        self.done(self.out)
