"""Convolutions, and where they get their kernels from: a parameter as it is, or what is made of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from igcnas.execution.values import Use, Value


class Weight(Protocol):
    """A kernel (out, in / groups, k, k) and its gradient, both of the operators' kind."""

    value: Any
    gradient: Any

    def refresh(self) -> None:
        """Before it is read."""

    def finish(self) -> None:
        """The gradient is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolved:
    """A convolution of any kernel, stride and grouping. Its weight is (out, in / groups, k, k)."""

    use: Use
    weight: Weight
    out: Value
    kernel: int
    stride: int
    groups: int


class PlainWeight:
    """A parameter, read and given its gradient in place."""

    def __init__(self, parameter: torch.Tensor, view: Callable[[torch.Tensor], Any]) -> None:
        assert parameter.grad is not None, "gradients have their places before a program is made"
        self.value, self.gradient = view(parameter.detach()), view(parameter.grad)

    def refresh(self) -> None:
        """It is always current."""

    def finish(self) -> None:
        """It is in its place."""


class MadeWeight:
    """What is made of parameters at each step; autograd brings the gradient to them.

    A layer with learned groups multiplies by a masked weight. Layers in a row with nothing between them but
    permutations are one convolution with the composed kernel (igcnas/modules/composition.py).
    """

    def __init__(self, make: Callable[[], torch.Tensor], view: Callable[[torch.Tensor], Any]) -> None:
        self.make, self.view = make, view
        self.made: torch.Tensor
        with torch.no_grad():
            self._gradient = torch.zeros_like(make(), memory_format=torch.contiguous_format)
        self.value, self.gradient = view(self._gradient.clone()), view(self._gradient)

    def refresh(self) -> None:
        """Made anew: the parameters have changed."""
        self.made = self.make()
        self.value = self.view(self.made.detach().contiguous())

    def finish(self) -> None:
        """On to the parameters."""
        _GivenGradient.apply(self.made, self._gradient).backward()  # type: ignore[no-untyped-call]
        del self.made  # and its graph


class _GivenGradient(torch.autograd.Function):
    """A number whose backward gives `made` this gradient.

    torch.autograd.backward does the same, but imports sympy to compare the two shapes: half a second of each process.
    """

    @staticmethod
    def forward(ctx: Any, made: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        ctx.gradient = gradient
        return made.new_zeros(())

    @staticmethod
    def backward(ctx: Any, one: torch.Tensor) -> Any:
        return ctx.gradient, None
