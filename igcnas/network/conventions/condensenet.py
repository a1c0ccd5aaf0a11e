"""The counter of CondenseNet's and DGC's authors, `measure_model`.

Multiply-accumulates, biases, one for each activation, kernel area times outputs for a pooling. A learned group
convolution counts what is left. A dynamic one (DGC) counts the share it keeps, its pooled input, and for each head both
linear layers, the activation between them, and three times the channels: bias, activation, multiplication.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.network.conventions.elements import area, layer_elements
from igcnas.network.grouping import DynamicChannels
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution

_COUNTED = ("macs", "bias_outputs", "relu", "relu6", "window", "global_pool")


def figure(network: Plan) -> int:
    """What measure_model prints; IgcnasError for layers that it does not know."""
    total = 0
    for name, layer in network.layers():
        learned = layer.learned if isinstance(layer, Convolution) else None
        if learned is not None and learned.chooses_per_image:
            if learned.kind not in _DYNAMIC:
                others = " or ".join(filter(None, ("macs", learned.counter)))
                raise IgcnasError(f"{name} is not known to the counter of CondenseNet; use {others}")
            total += _DYNAMIC[learned.kind](layer, learned)
            continue
        counted = layer_elements(layer)
        total += sum(counted.get(kind, 0) for kind in _COUNTED)
    return total


def _dynamic(layer: Convolution, learned: DynamicChannels) -> int:
    channels, hidden = layer.in_channels, learned.hidden(layer.in_channels)
    dense = layer.kernel**2 * channels * layer.out_channels * area(layer.out_size)
    generators = learned.heads * (2 * channels * hidden + hidden + 3 * channels)
    return round(dense * learned.keep) + channels * area(layer.in_size) + generators


# Kinds of which each image chooses the channels, and how this counter counts one of their layers.
_DYNAMIC: dict[str, Callable[[Any, Any], int]] = {DynamicChannels.kind: _dynamic}
