"""What training asks of a layer whose connections it decides."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import nn

from igcnas.settings import GroupingRules


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
