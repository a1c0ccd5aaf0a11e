"""A network as a program of steps: loss and gradients of a batch, answers to images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from igcnas.execution.operators import Operators
from igcnas.execution.reading import Reading
from igcnas.execution.values import Value
from igcnas.network.plan import Plan


class Program:
    """One batch size, on the parameters of this module, whose gradients have their places already.

    The module's own mode (train, eval) says which statistics the norms take.
    """

    def __init__(self, network_plan: Plan, network: nn.Module, ops: Operators) -> None:
        self.network, self.ops = network, ops
        channels, height, width = network_plan.input_shape
        self.images = Value(ops, channels, (height, width), ops.allocate(channels, (height, width)))
        self.images.wanted = False
        reading = Reading(ops, network)
        reading.sequence(network_plan.root.layers, self.images)
        assert reading.pooled is not None, "a network ends with a pooling and a classifier"
        self.nodes, self.pooled = reading.nodes, reading.pooled
        self.classifier = network.get_submodule(reading.classifier)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        self.ops.load(images, self.images.storage)
        if self.images.statistics and self.network.training:
            self.ops.statistics(self.images)
        for node in self.nodes:
            node.forward(self.network.training)
        logits: torch.Tensor = self.classifier(self.pooled.leaf)
        return logits

    def loss(self, images: torch.Tensor, loss_of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """The loss of a whole batch of images (B, C, H, W), float; adds its gradients to those of the parameters.

        loss_of: from logits (B, classes), through autograd.
        """
        logits = self._logits(images)
        loss = loss_of(logits)
        loss.backward()  # type: ignore[no-untyped-call]
        for node in reversed(self.nodes):
            node.backward()
        self.logits = logits.detach()
        return loss.detach()

    @torch.inference_mode()
    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of any number of images, in evaluation mode."""
        found = []
        for part in torch.split(images, self.ops.batch):
            found.append(self._logits(part)[: len(part)].clone())
        return torch.cat(found)
