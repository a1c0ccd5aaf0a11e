"""All parameters in one buffer and all gradients in another: an optimizer step is one pass over both.

A network of 300 small tensors costs a stock optimizer, clipping and zeroing a good part of a millisecond a step; in one
buffer they cost microseconds. The module's parameters are views, so its names, its state dict and its use stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from igcnas.training.optimizer import parameter_kinds
from igcnas.training.recipes import Recipe


class FlatSGD:
    """SGD with Nesterov momentum and weight decay, as torch.optim.SGD, on one buffer; kinds of parameters are slices.

    Making it moves the parameters of the network into the buffer and gives each a gradient in another, zero.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        kinds = parameter_kinds(network, shifts=recipe.decay.shifts is not None)
        every = [parameter for kind in kinds.values() for parameter in kind]
        total = sum(parameter.numel() for parameter in every)
        self.values = torch.empty(total, device=every[0].device)
        self.gradients = torch.zeros_like(self.values)
        self.momenta = torch.zeros_like(self.values)
        self.param_groups: list[dict[str, Any]] = []
        start = 0
        for kind, parameters in kinds.items():
            first = start
            for parameter in parameters:
                stop = start + parameter.numel()
                self.values[start:stop] = parameter.detach().flatten()
                parameter.data = self.values[start:stop].view(parameter.shape)
                parameter.grad = self.gradients[start:stop].view(parameter.shape)
                start = stop
            decay, scale = getattr(recipe.decay, kind), recipe.rate(kind)
            group = {"params": parameters, "lr": 0.0, "lr_scale": scale, "weight_decay": decay}
            self.param_groups.append(group | {"slice": slice(first, start)})
        self.momentum, self.nesterov = recipe.optimizer.momentum, recipe.optimizer.nesterov

    def zero_grad(self) -> None:
        """All gradients become zero, in place."""
        self.gradients.zero_()

    def clip(self, most: float) -> None:
        """Scale the gradients so that their norm is at most this, as torch.nn.utils.clip_grad_norm_."""
        norm = torch.linalg.vector_norm(self.gradients)
        self.gradients.mul_((most / (norm + 1e-6)).clamp_(max=1.0))

    def step(self) -> None:
        """One step with the learning rates of the groups."""
        for group in self.param_groups:
            part = group["slice"]
            if part.start == part.stop:
                continue
            value, gradient, momentum = self.values[part], self.gradients[part], self.momenta[part]
            if group["weight_decay"]:
                gradient.add_(value, alpha=group["weight_decay"])
            momentum.mul_(self.momentum).add_(gradient)
            if self.nesterov:
                gradient.add_(momentum, alpha=self.momentum)
                value.add_(gradient, alpha=-group["lr"])
            else:
                value.add_(momentum, alpha=-group["lr"])

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs beside the weights."""
        return {"momenta": self.momenta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.momenta.copy_(state["momenta"])
