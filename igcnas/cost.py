"""Multiply-accumulates and parameters of a plan, computed without building it: integers, no torch, microseconds.

Convention (`macs`): multiply-accumulates of convolutions and linear layers for one image, which the papers on these
networks call FLOPs. Biases, batch norm, activations, pooling, additions and permutations count nothing. `params`:
weights of convolutions and linear layers, biases, and scale and shift of batch norm. Learned grouping counts the
weights that survive, not the masked ones, and not the assignment. `bias_outputs` is what ptflops (backend "aten") adds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from igcnas.architecture import Architecture
from igcnas.plan import Plan, plan
from igcnas.primitives import Convolution, Layer, Linear, Norm, Primitive, Residual, Sequence, SplitConvolution


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
        weights = layer.kernel * layer.kernel * layer.connections
        height, width = layer.out_size
        return Cost(weights * height * width, weights)
    if isinstance(layer, Norm):
        return Cost(0, 2 * layer.channels)
    if isinstance(layer, Linear):
        weights = layer.in_features * layer.out_features
        return Cost(weights, weights + layer.out_features, layer.out_features)
    if isinstance(layer, SplitConvolution):
        return Cost(layer.connections * layer.in_size[0] * layer.in_size[1], layer.connections)
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
        if isinstance(layer, Sequence):
            cost = _sum(layer.layers)
        elif isinstance(layer, Residual):
            cost = _sum((layer.body, layer.shortcut))
        else:
            cost = layer_cost(layer)
        macs += cost[0]
        params += cost[1]
        bias_outputs += cost[2]
    return Cost(macs, params, bias_outputs)


def count(architecture: Architecture) -> Cost:
    """Cost of a network, from its plan."""
    return count_plan(plan(architecture))
