"""Multiply-accumulates and parameters of a plan, computed without building it: integers, no torch, microseconds.

Convention (`macs`): multiply-accumulates of convolutions and linear layers for one image, which the papers on these
networks call FLOPs. Biases, batch norm, activations, pooling, additions and permutations count nothing. `params`:
weights of convolutions and linear layers, biases, and scale and shift of batch norm. Learned grouping counts the
weights that survive, not the masked ones, and not the assignment; where each image chooses its channels, the mean over
images, and what the choice costs. `bias_outputs` is what ptflops (backend "aten") adds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from igcnas.network.architecture import Architecture
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import (
    Convolution,
    GatedConvolution,
    Layer,
    Linear,
    Norm,
    Primitive,
    SplitConvolution,
    branches,
)


class Cost(NamedTuple):
    """What one network, or one layer of it, costs for one image."""

    macs: int
    params: int
    bias_outputs: int = 0


_FREE = Cost(0, 0)


def layer_cost(layer: Primitive) -> Cost:
    """Cost of one primitive layer.

    >>> layer_cost(Convolution("conv", 48, 48, 3, 1, 24, (32, 32)))
    Cost(macs=884736, params=864, bias_outputs=0)
    """
    if isinstance(layer, Convolution):
        area = layer.kernel * layer.kernel
        height, width = layer.out_size
        macs = area * layer.connections * height * width
        if layer.learned is None:
            biases = layer.out_channels if layer.bias else 0
            return Cost(macs - layer.skipped_macs, area * layer.connections + biases, biases * height * width)
        extra = layer.learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels)
        return Cost(macs + extra.macs, area * layer.kept_weights + extra.params, extra.bias_outputs)
    if isinstance(layer, GatedConvolution):
        weights = layer.kernel * layer.kernel * layer.in_channels * layer.out_channels
        extra = layer.grouping.overhead(layer.in_channels, layer.out_channels, layer.context_channels)
        return Cost(layer.macs + extra.macs, weights + extra.params, extra.bias_outputs)
    if isinstance(layer, Norm):
        return Cost(0, 2 * layer.channels)
    if isinstance(layer, Linear):
        weights, biases = layer.kept_inputs * layer.out_features, layer.out_features if layer.bias else 0
        return Cost(weights, weights + biases, biases)
    if isinstance(layer, SplitConvolution):
        pixels, biases = layer.in_size[0] * layer.in_size[1], layer.out_channels if layer.bias else 0
        return Cost(layer.connections * pixels, layer.connections + biases, biases * pixels)
    return _FREE


def count_plan(network: Plan) -> Cost:
    """Cost of one forward pass on one image, and of what is stored."""
    return _sum(network.root.layers)


@lru_cache(
    maxsize=4096
)  # hashing a tree of tuples takes a tenth of counting it, and blocks recur from network to network
def _sum(layers: tuple[Layer, ...]) -> Cost:
    macs = params = bias_outputs = 0
    for layer in layers:
        below = branches(layer)
        cost = _sum(tuple(child for _, child in below)) if below is not None else layer_cost(layer)  # type: ignore[arg-type]
        macs += cost[0]
        params += cost[1]
        bias_outputs += cost[2]
    return Cost(macs, params, bias_outputs)


def count(architecture: Architecture) -> Cost:
    """Cost of a network, from its plan."""
    return count_plan(plan(architecture))


class ParameterParts(NamedTuple):
    """Where the parameters of a network are; generators decide in the trained network who meets whom."""

    convolutions: int
    norms: int
    classifier: int
    generators: int


def parameter_parts(network: Plan) -> ParameterParts:
    """The parameters by the kind of layer; their sum is `params`."""
    convolutions = norms = classifier = generators = 0
    for _, layer in network.layers():
        params = layer_cost(layer).params
        if isinstance(layer, Norm):
            norms += params
        elif isinstance(layer, Linear):
            classifier += params
        else:
            if isinstance(layer, Convolution) and layer.learned is not None:
                extra = layer.learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels).params
                generators += extra
                params -= extra
            convolutions += params
    return ParameterParts(convolutions, norms, classifier, generators)


def training_params(network: Plan) -> int:
    """Parameters of the module while it trains: learned layers hold dense weights, and what decides their groups."""
    total = 0
    for _, layer in network.layers():
        total += layer_cost(layer).params
        if isinstance(layer, Convolution) and layer.learned is not None:
            pairs = (layer.in_channels, layer.out_channels)
            dropped = pairs[0] * pairs[1] - layer.kept_weights
            total += layer.kernel * layer.kernel * dropped + layer.learned.decision_parameters(*pairs)
        elif isinstance(layer, Linear):
            total += (layer.in_features - layer.kept_inputs) * layer.out_features
    return total
