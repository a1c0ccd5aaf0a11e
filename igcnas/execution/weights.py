"""Where a convolution gets its kernel from: a parameter as it is, or what a learned layer makes of its parameters."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from igcnas.layers.masked import MaskedConv


class Weight(Protocol):
    """A kernel (out, in / groups, k, k) and its gradient, both of the operators' kind."""

    value: Any
    gradient: Any

    def refresh(self) -> None:
        """Before it is read."""

    def finish(self) -> None:
        """The gradient is there."""


class PlainWeight:
    """A parameter, read and given its gradient in place."""

    def __init__(self, parameter: nn.Parameter, view: Any) -> None:
        assert parameter.grad is not None, "gradients have their places before a program is made"
        self.value, self.gradient = view(parameter.detach()), view(parameter.grad)

    def refresh(self) -> None:
        """It is always current."""

    def finish(self) -> None:
        """It is in its place."""


class MaskedWeight:
    """What a layer with learned groups multiplies by; autograd brings the gradient to its parameters."""

    def __init__(self, module: MaskedConv, view: Any) -> None:
        self.module, self.view = module, view
        self.made: torch.Tensor
        shape = module.masked_weight().shape
        self._gradient = torch.zeros(shape, device=next(module.parameters()).device)
        self.value, self.gradient = view(self._gradient.clone()), view(self._gradient)

    def refresh(self) -> None:
        """Made anew: the parameters have changed."""
        self.made = self.module.masked_weight()
        self.value = self.view(self.made.detach().contiguous())

    def finish(self) -> None:
        """On to the parameters."""
        torch.autograd.backward([self.made], [self._gradient])
        del self.made  # and its graph
