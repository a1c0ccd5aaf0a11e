"""Where branches meet: a sum, or channels appended to channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igcnas.execution.nodes.node import Node
from igcnas.execution.values import Use, Value

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Sum(Node):
    """body + shortcut."""

    def __init__(self, ops: Operators, one: Use, other: Use) -> None:
        super().__init__(ops)
        self.one, self.other = one, other
        value = one.value
        self.out = Value(ops, value.channels, value.size, ops.allocate(value.channels, value.size))

    def forward(self, training: bool) -> None:
        """Add, each with what is pending on it; take the statistics where a norm follows."""
        self.ops.add(self.one.value, self.other.value, self.out, training and self.out.statistics)

    def backward(self) -> None:
        """Both branches have the gradient of the sum: where nothing has to be applied to it, the same buffer.

        A shortcut's value takes further gradients into that buffer only when the body has read it.
        """
        gradient = self.taken(self.out)
        for use in (self.one, self.other):
            value = use.value
            if not value.wanted:
                continue
            masks = use.last and not value.plain
            if use.first and value.ordered and not gradient.lazy and not masks:
                gradient.g.users += 1
                self.give(value, gradient.g)
                if use.last and value.normed:
                    self.ops.moments(gradient.g, value)
            else:
                self.ops.distribute(gradient, 0, use, self.buffer(use))
        self.done(self.out)


class Append(Node):
    """The channels of one value, then those of the other."""

    def __init__(self, ops: Operators, one: Use, other: Use) -> None:
        super().__init__(ops)
        self.one, self.other = one, other
        channels = one.value.channels + other.value.channels
        self.out = Value(ops, channels, one.value.size, ops.allocate(channels, one.value.size))

    def forward(self, training: bool) -> None:
        """Copy, each with what is pending on it."""
        self.ops.copy(self.one.value, self.out, 0)
        self.ops.copy(self.other.value, self.out, self.one.value.channels)
        if training and self.out.statistics:
            self.ops.statistics(self.out)

    def backward(self) -> None:
        """Each has its part."""
        gradient = self.taken(self.out)
        for use, start in ((self.one, 0), (self.other, self.one.value.channels)):
            if use.value.wanted:
                self.ops.distribute(gradient, start, use, self.buffer(use))
        self.done(self.out)
