"""What every step has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from igcnas.execution.values import Gradient, Storage, Use, Value

if TYPE_CHECKING:
    from igcnas.execution.operators import Operators


class Node(ABC):
    """One step. `out` is what it makes."""

    def __init__(self, ops: Operators) -> None:
        self.ops = ops

    @abstractmethod
    def forward(self, training: bool) -> None:
        """Compute the output."""

    @abstractmethod
    def backward(self) -> None:
        """From the gradient of the output to those of the inputs and of the parameters."""

    def taken(self, value: Value) -> Gradient:
        """The gradient of a value that is complete; give its buffer back with `done`."""
        assert value.gradient is not None, "a value without consumers has no gradient"
        return value.gradient

    def done(self, value: Value) -> None:
        """The gradient of this value is not needed any more."""
        if value.gradient is not None:
            self.ops.release(value.gradient.g)
            value.gradient = None

    def buffer(self, use: Use) -> Storage:
        """Where the gradient of the used value is gathered; made by the first that adds to it.

        A buffer that somebody else still reads is not added to, but to a copy of it.
        """
        value = use.value
        if use.first:
            self.give(value, self.ops.take_like(value.storage))
        assert value.gradient is not None
        shared = value.gradient.g
        if shared.users > 1:
            self.give(value, self.ops.duplicate(shared))
            self.ops.release(shared)
        return value.gradient.g

    def give(self, value: Value, storage: Storage) -> None:
        """Let this storage hold the gradient of a value."""
        value.gradient = self.ops.plain_gradient(storage)

    def hand_over(self, use: Use, gradient: Gradient, gsums: Any) -> None:
        """What a view of a storage knows of its gradient goes to the value it is a view of."""
        value = use.value
        if not value.wanted:
            return
        if use.only:
            gradient.g.users += 1
            value.gradient, value.gsums = gradient, gsums
        else:
            self.ops.distribute(gradient, 0, use, self.buffer(use), stored=True)
