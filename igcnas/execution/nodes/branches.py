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
        """Both branches have the gradient of the sum: where nothing has to be applied to it, the same buffer."""
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
    """The channels of one value after those of another; of a single value, itself with nothing pending."""

    def __init__(self, ops: Operators, uses: tuple[Use, ...]) -> None:
        super().__init__(ops)
        self.uses = uses
        channels = sum(use.value.channels for use in uses)
        size = uses[0].value.size
        self.out = Value(ops, channels, size, ops.allocate(channels, size))

    def forward(self, training: bool) -> None:
        """Copy, each with what is pending on it."""
        start = 0
        for use in self.uses:
            self.ops.copy(use.value, self.out, start)
            start += use.value.channels
        if training and self.out.statistics:
            self.ops.statistics(self.out)

    def backward(self) -> None:
        """Each has its part."""
        gradient = self.taken(self.out)
        start = 0
        for use in self.uses:
            if use.value.wanted:
                self.ops.distribute(gradient, start, use, self.buffer(use))
            start += use.value.channels
        self.done(self.out)
