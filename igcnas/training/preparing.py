"""What a recipe says of a network before the first step: norm constants, first weights, places of dropout.

With the constants and weights of a search nothing is touched and nothing drawn, so that its networks start as they
always did. Else the weights are drawn again, in the order of the modules.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from igcnas.modules.layers import LearnedModule
from igcnas.network.plan import Plan
from igcnas.network.primitives import Gated, GlobalPool, Layer, Linear, Residual, Sequence
from igcnas.training.recipes import FirstWeights, NormConstants, Recipe

_Norm = nn.modules.batchnorm._BatchNorm


def prepare(network: nn.Module, network_plan: Plan, recipe: Recipe) -> None:
    """Set the norm constants and the first weights of a network that was just built."""
    _set_norms(network, recipe.norm, residual=_has_shortcuts(network_plan.root))
    if recipe.first != FirstWeights():
        _start(network, recipe.first)


def hang_dropout(network: nn.Module, network_plan: Plan, recipe: Recipe) -> None:
    """Drop features and channels where the recipe says; once the modules are those that are trained."""
    if recipe.dropout:
        _before(network, _classifier(network_plan), lambda x, on: functional.dropout(x, recipe.dropout, training=on))
    _drop_channels(network, network_plan, recipe)


def set_epsilon(network: nn.Module, epsilon: float) -> None:
    """What the norms of a network add to a variance."""
    for module in network.modules():
        if isinstance(module, _Norm):
            module.eps = epsilon


def _set_norms(network: nn.Module, norm: NormConstants, *, residual: bool) -> None:
    set_epsilon(network, norm.epsilon)
    momentum = norm.residual_momentum if residual and norm.residual_momentum is not None else norm.momentum
    for module in network.modules():
        if isinstance(module, _Norm):
            module.momentum = momentum


def _has_shortcuts(layer: Layer) -> bool:
    if isinstance(layer, Residual):
        return True
    return isinstance(layer, Sequence | Gated) and any(_has_shortcuts(child) for child in layer.layers)


def _start(module: nn.Module, first: FirstWeights) -> None:
    """Convolutions and the classifier; of a layer that learns its groups the weight, nothing that decides."""
    if isinstance(module, nn.Linear) or (isinstance(module, LearnedModule) and module.linear):
        _start_linear(module.get_parameter("weight"), dict(module.named_parameters()).get("bias"), first)
        return
    if isinstance(module, LearnedModule):
        if first.convolution != "fan-in":  # its own rule knows what the plan leaves of it
            _start_weight(module.get_parameter("weight"), first.convolution, module.filters_at_start())
        return
    if isinstance(module, nn.Conv2d):
        _start_weight(module.weight, first.convolution, len(module.weight))
    for child in module.children():
        _start(child, first)


def _start_linear(weight: torch.Tensor, bias: torch.Tensor | None, first: FirstWeights) -> None:
    if first.linear == "normal":
        nn.init.normal_(weight, std=first.std)
    else:
        _start_weight(weight, first.linear, len(weight))
    if bias is None:
        return
    if first.bias == "zero":
        nn.init.zeros_(bias)
    else:
        nn.init.uniform_(bias, -(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)


def _start_weight(weight: torch.Tensor, rule: str, filters: int) -> None:
    """`filters`: how many the authors' layer has."""
    inputs, area = weight[0].numel(), weight[0, 0].numel()
    outputs = filters * area
    if rule == "torch":
        nn.init.uniform_(weight, -(inputs**-0.5), inputs**-0.5)
        return
    variance = {"fan-in": 2.0 / inputs, "fan-out": 2.0 / outputs, "xavier": 2.0 / (inputs + outputs)}[rule]
    nn.init.normal_(weight, std=variance**0.5)


def _drop_channels(network: nn.Module, network_plan: Plan, recipe: Recipe) -> None:
    share = recipe.channel_dropout.share

    def drop(x: torch.Tensor, on: bool) -> torch.Tensor:
        # After the pooling a channel is one feature.
        return functional.dropout(x, share, on) if x.ndim == 2 else functional.dropout2d(x, share, on)

    modules = dict(network.named_modules())
    for place in recipe.channel_dropout.at:
        name = {"map": _pooling(network_plan), "pooled": _classifier(network_plan)}.get(place, f"{place}.norm")
        if name not in modules:
            continue
        if place in ("map", "pooled"):
            _before(network, name, drop)
        else:
            modules[name].register_forward_hook(lambda module, _inputs, out: drop(out, module.training))


def _before(network: nn.Module, name: str, change: Callable[[torch.Tensor, bool], torch.Tensor]) -> None:
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (change(inputs[0], module.training), *inputs[1:])

    network.get_submodule(name).register_forward_pre_hook(hook)


def _classifier(network_plan: Plan) -> str:
    return [name for name, layer in network_plan.layers() if isinstance(layer, Linear)][-1]


def _pooling(network_plan: Plan) -> str:
    return [name for name, layer in network_plan.layers() if isinstance(layer, GlobalPool)][-1]
