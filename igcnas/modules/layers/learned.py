"""What training asks of a layer whose connections it decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from igcnas.network.grouping.rules import GroupingRules


class LearnedModule(nn.Module):
    """A layer that learns who meets whom; the defaults are those of a layer without penalty and schedule.

    decides: names of its own parameters, or of submodules, that decide: no weight decay, a learning rate of their own.
    budgeted: how training keeps its connections to what was planned: 'hinge' adds the excess of the whole network to
    the loss, 'ratio' multiplies the loss by a power of it (igcnas/training/objective.py), None needs nothing.
    remembers: attributes that keep a tensor of the last forward pass, with its graph, for the share or the penalty.
    """

    decides: ClassVar[tuple[str, ...]] = ()
    remembers: ClassVar[tuple[str, ...]] = ()
    budgeted: Literal["hinge", "ratio"] | None = None
    rules: GroupingRules = GroupingRules()

    def configure(self, rules: GroupingRules) -> None:
        """Take the rules of this training."""
        self.rules = rules

    def begin_step(self, progress: float) -> None:
        """Called before each training step with the share of training that is done, in [0, 1)."""

    def place_numbers(self, device: torch.device) -> None:
        """From now on what the host changes from step to step lies in tensors on this device.

        Random numbers come from the default generator of the device then, whose seed the training sets before each
        step. So every step is the same operations on the same addresses, and can be captured in a CUDA graph.
        """

    def settles(self) -> float:
        """Share of training from which on its schedule aims at what was planned: before, accuracies compare nothing."""
        return 0.0

    def finish(self) -> None:
        """Called after the last training step: what the schedule still owes is done now."""

    def share(self) -> torch.Tensor | None:
        """Connections of the last forward pass over those of a dense convolution, differentiable; None if planned."""
        return None

    def penalty(self) -> torch.Tensor | None:
        """A term to add to the loss, with its weight; None for none."""
        return None


class MaskedConv(LearnedModule, ABC):
    """A dense convolution with a masked weight. Input (B, in, H, W), output (B, out, H', W')."""

    weight: torch.nn.Parameter
    stride: int

    @abstractmethod
    def mask(self) -> torch.Tensor:
        """(out, in) matrix of zeros and ones."""

    def masked_weight(self) -> torch.Tensor:
        """The weight that convolves, (out, in, k, k), with the gradients of weight and mask."""
        return self.weight * self.mask()[:, :, None, None].to(self.weight.dtype)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve with the masked weight."""
        weight = self.masked_weight().to(x_BCHW.dtype)
        return functional.conv2d(x_BCHW, weight, stride=self.stride, padding=weight.shape[2] // 2)


def straight_through(soft: torch.Tensor, hard: torch.Tensor, *, only_chosen: bool = False) -> torch.Tensor:
    """`hard`, with its gradient passed to `soft`; `only_chosen` passes it only where `hard` is one.

    The usual `hard + soft - soft.detach()` is exact only up to rounding; a mask must be exactly 0 or 1.
    """
    return _StraightThrough.apply(soft, hard, only_chosen)  # type: ignore[no-any-return, no-untyped-call]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, _soft: torch.Tensor, hard: torch.Tensor, only: bool
    ) -> torch.Tensor:
        if only:
            ctx.save_for_backward(hard)
        return hard

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        saved: tuple[torch.Tensor, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        return (grad * saved[0] if saved else grad), None, None
