"""The weights of a convolution by groups, equal or not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from igcnas.export.c.operations import Numbers
from igcnas.network.primitives import Convolution, GatedConvolution, SplitConvolution


def groups_of(
    layer: Convolution | SplitConvolution | GatedConvolution, path: str, state: Mapping[str, Numbers]
) -> tuple[list[Numbers], list[Numbers]]:
    """For each group (outputs, inputs, kernel, kernel), and the biases; of a gated one each head reads all inputs."""
    if isinstance(layer, SplitConvolution):
        weights = [
            state[f"{path}.convs.{k}.weight"] if ins and outs else np.zeros((outs, ins, 1, 1))
            for k, (ins, outs) in enumerate(zip(layer.in_groups, layer.out_groups, strict=True))
        ]
    else:
        count = (
            layer.grouping.gate_arguments(layer.in_channels, layer.context_channels)["heads"]
            if isinstance(layer, GatedConvolution)
            else layer.groups
        )
        weights = np.split(state[f"{path}.weight"], count)
    bias = state.get(f"{path}.bias", np.zeros(layer.out_channels))
    return weights, np.split(bias, np.cumsum([len(weight) for weight in weights])[:-1])
