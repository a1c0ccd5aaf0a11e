"""What counters count beside multiply-accumulates: elements of tensors, summed over the layers of a plan."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from igcnas.errors import IgcnasError
from igcnas.network.cost import layer_cost
from igcnas.network.plan import Plan
from igcnas.network.primitives import Activation, Convolution, GlobalPool, Norm, Pool, Primitive, Size


class Elements(NamedTuple):
    """Numbers of elements for one image."""

    macs: int = 0
    bias_outputs: int = 0
    norm: int = 0
    relu: int = 0
    relu6: int = 0
    max_pool_in: int = 0
    average_pool_in: int = 0
    average_pool_out: int = 0
    window: int = 0  # kernel area times outputs, over all poolings but the global one
    global_pool: int = 0
    global_pool_out: int = 0


def area(size: Size) -> int:
    """Height times width, in pixels."""
    return size[0] * size[1]


def layer_elements(layer: Primitive) -> dict[str, int]:
    """The fields of Elements that are not zero for this layer."""
    if isinstance(layer, Norm):
        return {"norm": layer.channels * area(layer.size)}
    if isinstance(layer, Activation):
        return {layer.kind: layer.channels * area(layer.size)}
    if isinstance(layer, Pool):
        inside, outside = layer.channels * area(layer.in_size), layer.channels * area(layer.out_size)
        window = {"window": layer.kernel**2 * outside}
        if layer.kind == "max":
            return window | {"max_pool_in": inside}
        return window | {"average_pool_in": inside, "average_pool_out": outside}
    if isinstance(layer, GlobalPool):
        return {"global_pool": layer.channels * area(layer.size), "global_pool_out": layer.channels}
    cost = layer_cost(layer)
    return {"macs": cost.macs, "bias_outputs": cost.bias_outputs}


def elements(network: Plan) -> Elements:
    """The sums over a network; IgcnasError where a layer chooses its channels for each image."""
    total: Counter[str] = Counter()
    for name, layer in network.layers():
        if isinstance(layer, Convolution) and layer.learned is not None and layer.learned.chooses_per_image:
            raise IgcnasError(
                f"{name} chooses its channels for each image, which this convention does not define; "
                f"use {' or '.join(filter(None, ('macs', layer.learned.counter)))}"
            )
        total.update(layer_elements(layer))
    return Elements(**total)
