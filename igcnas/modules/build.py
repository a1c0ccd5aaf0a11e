"""The torch module of a plan, built from the same list of layers that is counted, so that they cannot disagree."""

from __future__ import annotations

from collections import OrderedDict
from functools import singledispatch

from torch import nn

from igcnas.errors import ArchitectureError
from igcnas.modules.layers import (
    Add,
    AppendChannels,
    ChannelGather,
    CondensingLinear,
    ContextSequential,
    NormalizeInput,
    PaddedShortcut,
    PixelAverage,
    SplitConv,
    gated_arguments,
    gated_class,
    learned_class,
)
from igcnas.modules.layers.learned import LearnedModule
from igcnas.network import primitives
from igcnas.network.cost import training_params
from igcnas.network.plan import Plan
from igcnas.system.bounds import BUILT

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6}


def build(network: Plan) -> nn.Sequential:
    """A module that maps float images (B, channels, height, width) to logits (B, classes).

    The names of its submodules are those of `network.layers()`. Parameters are initialised with torch's current random
    state: He normal for convolutions, N(0, 0.01) for the classifier. ArchitectureError for one that no memory holds.
    """
    params = training_params(network)
    if params > BUILT:
        raise ArchitectureError(f"a network of {params:,} parameters is not built; the most is {BUILT:,}")
    module = _sequence(network.root)
    _initialise(module)
    return module


def _initialise(module: nn.Module) -> None:
    """Learned modules have initialised themselves, and what is inside them."""
    if isinstance(module, LearnedModule):
        return
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    for child in module.children():
        _initialise(child)


def _sequence(layer: primitives.Sequence | primitives.Gated) -> nn.Sequential:
    children = OrderedDict((child.name, _module(child)) for child in layer.layers)
    return ContextSequential(children, layer.skip) if isinstance(layer, primitives.Gated) else nn.Sequential(children)


@singledispatch
def _module(layer: primitives.Layer) -> nn.Module:
    """The module of one layer; one implementation for each primitive."""
    raise TypeError(f"no module for {type(layer).__name__}")


@_module.register(primitives.Sequence)
@_module.register(primitives.Gated)
def _(layer: primitives.Sequence | primitives.Gated) -> nn.Module:
    return _sequence(layer)


@_module.register
def _(layer: primitives.Concat) -> nn.Module:
    return AppendChannels(_sequence(layer.body))


@_module.register
def _(layer: primitives.Pool) -> nn.Module:
    if layer.kind == "max":
        return nn.MaxPool2d(layer.kernel, layer.stride, padding=layer.kernel // 2)
    return nn.AvgPool2d(layer.kernel, layer.stride, ceil_mode=True)


@_module.register
def _(layer: primitives.PadShortcut) -> nn.Module:
    return PaddedShortcut(layer.in_channels, layer.out_channels, layer.stride)


@_module.register
def _(layer: primitives.Residual) -> nn.Module:
    return Add(_sequence(layer.body), _sequence(layer.shortcut))


@_module.register
def _(layer: primitives.Convolution) -> nn.Module:
    if layer.learned is not None:
        return learned_class(layer.learned)(layer)
    return nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel,
        stride=layer.stride,
        padding=layer.kernel // 2,
        groups=layer.groups,
        bias=layer.bias,
    )


@_module.register
def _(layer: primitives.GatedConvolution) -> nn.Module:
    return gated_class(layer)(**gated_arguments(layer))


@_module.register
def _(layer: primitives.SplitConvolution) -> nn.Module:
    return SplitConv(list(layer.in_groups), list(layer.out_groups), layer.bias)


@_module.register(primitives.Permutation)
@_module.register(primitives.Gather)
def _(layer: primitives.Permutation | primitives.Gather) -> nn.Module:
    return ChannelGather(list(layer.indices))


@_module.register
def _(layer: primitives.Normalize) -> nn.Module:
    return NormalizeInput(list(layer.mean), list(layer.std))


@_module.register
def _(layer: primitives.Norm) -> nn.Module:
    return nn.BatchNorm2d(layer.channels)


@_module.register
def _(layer: primitives.Activation) -> nn.Module:
    return _ACTIVATIONS[layer.kind]()


@_module.register
def _(layer: primitives.GlobalPool) -> nn.Module:
    return PixelAverage()


@_module.register
def _(layer: primitives.Linear) -> nn.Module:
    if layer.factor > 1:
        return CondensingLinear(layer)
    return nn.Linear(layer.in_features, layer.out_features, bias=layer.bias)
