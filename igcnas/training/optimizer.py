"""The optimizer of a recipe: one group of parameters for each kind."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Optimizer, RMSprop

from igcnas.recipes import KINDS, Recipe
from igcnas.training.objective import deciding_parameters

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def parameter_kinds(network: nn.Module, *, shifts: bool = False) -> dict[str, list[nn.Parameter]]:
    """Every parameter, by its kind (see igcnas/recipes/recipe.py): what decides groups first, then norms, by module.

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


def make_optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimizer; each group has its multiple of the learning rate under 'lr_scale'."""
    groups = [
        {"params": parameters, "weight_decay": getattr(recipe.decay, kind), "lr_scale": recipe.rate(kind)}
        for kind, parameters in parameter_kinds(network, shifts=recipe.decay.shifts is not None).items()
    ]
    rule = recipe.optimizer
    if rule.kind == "rmsprop":
        return RMSprop(groups, lr=recipe.learning_rate, alpha=rule.smoothing, eps=rule.epsilon, momentum=rule.momentum)
    return SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=rule.momentum,
        dampening=rule.dampening,
        nesterov=rule.nesterov,
        fused=True,
    )
