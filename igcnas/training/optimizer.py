"""The optimizer of a recipe: one group of parameters for each kind."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import SGD, Optimizer, RMSprop

from igcnas.training.grouping_loss import deciding_parameters
from igcnas.training.recipes import KINDS, Recipe, Schedule

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def parameter_kinds(network: nn.Module, *, shifts: bool = False) -> dict[str, list[nn.Parameter]]:
    """Every parameter, by its kind (see igcnas/training/recipes/recipe.py): what decides groups first, then norms, by
    module.

    shifts: those of norms are a kind of their own, the last.
    """
    decisions = {id(parameter) for parameter in deciding_parameters(network)}
    in_norms = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, _NORMS)
        for parameter in module.parameters(recurse=False)
    }
    shifted = {
        id(module.bias)
        for module in network.modules()
        if shifts and isinstance(module, _NORMS) and isinstance(module.bias, nn.Parameter)
    }
    kinds: dict[str, list[nn.Parameter]] = {kind: [] for kind in (*KINDS, *(("shifts",) if shifts else ()))}
    for parameter in network.parameters():
        if id(parameter) in decisions:
            kinds["deciding"].append(parameter)
        elif id(parameter) in in_norms:
            kinds["shifts" if id(parameter) in shifted else "norms"].append(parameter)
        else:
            kinds["biases" if parameter.ndim == 1 else "weights"].append(parameter)
    return kinds


def make_optimizer(network: nn.Module, recipe: Recipe, *, captured: bool = False) -> Optimizer:
    """The optimizer; each group has its multiple of the learning rate under 'lr_scale'.

    captured: its step may be captured in a CUDA graph, so that all of its state is on the device.
    """
    groups = [
        {"params": parameters, "weight_decay": getattr(recipe.decay, kind), "lr_scale": recipe.rate(kind)}
        for kind, parameters in parameter_kinds(network, shifts=recipe.decay.shifts is not None).items()
    ]
    rule = recipe.optimizer
    if rule.kind == "rmsprop":
        return RMSprop(
            groups,
            lr=recipe.learning_rate,
            alpha=rule.smoothing,
            eps=rule.epsilon,
            momentum=rule.momentum,
            capturable=captured,
            foreach=captured or None,
        )
    return SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=rule.momentum,
        dampening=rule.dampening,
        nesterov=rule.nesterov,
        fused=True,
    )


class _HasGroups(Protocol):
    param_groups: list[dict[str, Any]]


class Rates:
    """The learning rates of the groups of an optimizer: numbers or, once `place` was called, tensors on a device.

    A captured step reads the tensors. What a state dict brings into the groups is replaced at the next `set`.
    """

    def __init__(self, optimizer: _HasGroups) -> None:
        self._optimizer = optimizer
        self._scales: torch.Tensor | None = None

    def place(self, device: torch.device) -> None:
        """From now on they lie there."""
        scales = [group["lr_scale"] for group in self._optimizer.param_groups]
        self._scales = torch.tensor(scales, dtype=torch.float32, device=device)
        self._rates = torch.zeros_like(self._scales)

    def set(self, rate: float) -> None:
        """Each group gets its multiple of this."""
        groups = self._optimizer.param_groups
        if self._scales is None:
            for group in groups:
                group["lr"] = rate * group["lr_scale"]
            return
        torch.mul(self._scales, rate, out=self._rates)
        for group, lr in zip(groups, self._rates.unbind(), strict=True):
            group["lr"] = lr


def rate_factor(schedule: Schedule, step: int, *, steps_per_epoch: int, epochs: int) -> float:
    """Multiple of the learning rate at this step of all, counted from 0.

    Milestones fall on the nearest epoch. During warm-up the rate rises linearly to its full value, whatever the kind.
    """
    total = epochs * steps_per_epoch
    warm = 0 if schedule.warmup is None else max(1, round(schedule.warmup * total))
    if step < warm:
        return (step + 1) / warm
    epoch = step // steps_per_epoch
    if schedule.kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
    if schedule.kind == "cosine-epoch":
        return 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    if schedule.kind == "exponential":
        return schedule.factor**epoch
    return schedule.factor ** sum(epoch >= round(share * epochs) for share in schedule.milestones)
