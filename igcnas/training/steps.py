"""How a training step computes: the stock modules and autograd, or the fast program; the same mathematics.

'eager' is the oracle: it is stock PyTorch, layer by layer. 'fast' is `igcnas.execution`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from igcnas.execution import make_program
from igcnas.execution.program import Program
from igcnas.plan import Plan
from igcnas.recipes import Recipe
from igcnas.training.flat import FlatSGD
from igcnas.training.optimizer import make_optimizer

LossOf = Callable[[torch.Tensor], torch.Tensor]


class Steps(Protocol):
    """What the engine asks. `optimizer` has `param_groups` with learning rates, and a state dict."""

    optimizer: Optimizer | FlatSGD

    def gradients(self, images: torch.Tensor, loss_of: LossOf) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of the loss of a batch, in place of those of before; (loss, logits), detached."""
        ...

    def update(self) -> None:
        """Clip the gradients and step."""
        ...

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of images, in evaluation mode."""
        ...

    def close(self) -> None:
        """Let go of memory that the training alone needs."""
        ...


class EagerSteps:
    """Stock modules; `mixed` is the context of the forward pass."""

    def __init__(self, network: nn.Module, recipe: Recipe, mixed: AbstractContextManager[object]) -> None:
        self.network, self.recipe, self.mixed = network, recipe, mixed
        self.parameters = list(network.parameters())
        self.optimizer: Optimizer | FlatSGD = make_optimizer(network, recipe)

    def gradients(self, images: torch.Tensor, loss_of: LossOf) -> tuple[torch.Tensor, torch.Tensor]:
        """By autograd."""
        if images.device.type == "cuda":
            images = images.contiguous(memory_format=torch.channels_last)
        with self.mixed:
            logits = self.network(images)
            loss = loss_of(logits)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), logits.detach()

    def update(self) -> None:
        """Stock clipping and optimizer."""
        if self.recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.gradient_clip)
        self.optimizer.step()

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Of the module."""
        logits: torch.Tensor = self.network(images)
        return logits

    def close(self) -> None:
        """Nothing is held but the network."""


class FastSteps:
    """A program, made for the first batch that comes; the batches of a training are all of one size."""

    def __init__(
        self,
        network_plan: Plan,
        network: nn.Module,
        recipe: Recipe,
    ) -> None:
        self.plan, self.network, self.recipe = network_plan, network, recipe
        self.optimizer: Optimizer | FlatSGD
        if recipe.optimizer.kind == "sgd" and not recipe.optimizer.dampening:
            self.optimizer = FlatSGD(network, recipe)
        else:
            for parameter in network.parameters():
                parameter.grad = torch.zeros_like(parameter)
            self.optimizer = make_optimizer(network, recipe)
        self._program: Program | None = None

    def program(self, batch: int) -> Program:
        """The program; `batch` counts where there is none yet."""
        if self._program is None:
            self._program = make_program(self.plan, self.network, batch)
        return self._program

    def gradients(self, images: torch.Tensor, loss_of: LossOf) -> tuple[torch.Tensor, torch.Tensor]:
        """By the program."""
        if isinstance(self.optimizer, FlatSGD):
            self.optimizer.zero_grad()
        else:
            self.optimizer.zero_grad(set_to_none=False)
        program = self.program(len(images))
        return program.loss(images, loss_of), program.logits

    def update(self) -> None:
        """On the flat buffers where the optimizer has them."""
        clip = self.recipe.gradient_clip
        if clip is not None:
            if isinstance(self.optimizer, FlatSGD):
                self.optimizer.clip(clip)
            else:
                nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.optimizer.step()

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Of the program."""
        return self.program(min(self.recipe.batch_size, len(images))).answer(images)

    def close(self) -> None:
        """Let go of the program and its buffers; a further step makes another."""
        self._program = None
