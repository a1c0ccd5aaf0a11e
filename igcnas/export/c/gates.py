"""What makes the gates of a convolution whose channels each image chooses, as operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from igcnas.export.c.operations import LINEAR, RELU, Choose, Connect, Numbers, Operation
from igcnas.export.c.values import Value
from igcnas.modules.lowering import EPSILON
from igcnas.network.primitives import GatedConvolution, Size


def gated(
    layer: GatedConvolution,
    path: str,
    state: Mapping[str, Numbers],
    context: Value,
    new: Callable[[int, Size, bool], Value],
) -> tuple[list[Operation], Value]:
    """The operations, and the gates: one number for each head and input. new: makes the planes of a vector."""
    arguments = layer.grouping.gate_arguments(layer.in_channels, layer.context_channels)
    heads = arguments["heads"]
    count = heads * layer.in_channels
    made: list[Operation] = []

    def connect(name: str, inputs: Value, outputs: Value, weight: Numbers, bias: Numbers, kind: str) -> Value:
        where = f"{path}.{name}"
        made.append(Connect(path=where, inputs=inputs, outputs=outputs, weight=weight, bias=bias, kind=kind))
        return outputs

    def generated(name: str) -> Value:
        weight, _, *_ = (state[f"{path}.{name}.0.weight"], None)
        norm = [state[f"{path}.{name}.1.{one}"] for one in ("weight", "bias", "running_mean", "running_var")]
        scale = norm[0] / np.sqrt(norm[3] + EPSILON)
        hidden = new(len(weight), (1, 1), True)
        connect(f"{name}.0", context, hidden, weight * scale[:, None], norm[1] - norm[2] * scale, RELU)
        last, bias = state[f"{path}.{name}.3.weight"], state[f"{path}.{name}.3.bias"]
        return connect(f"{name}.3", hidden, new(count, (1, 1), True), last, bias, LINEAR)

    gates = new(count, (1, 1), True)
    if "kept" not in arguments:  # MSGC
        logits = generated("mask_generator")
        attention = generated("attention_generator") if arguments["attention"] else ()
        made.append(Choose(path=path, logits=logits, attention=attention, outputs=gates, heads=heads))
        return made, gates
    squeeze, expand = state[f"{path}.squeeze.weight"], state[f"{path}.expand.weight"][:, :, 0]
    bias, hidden, inputs = state[f"{path}.expand.bias"], arguments["hidden"], layer.in_channels
    squeezed = new(len(squeeze), (1, 1), True)
    connect("squeeze", context, squeezed, squeeze, np.zeros(len(squeeze)), RELU)
    saliency = new(count, (1, 1), True)
    for head in range(heads):
        ins, outs = slice(head * hidden, (head + 1) * hidden), slice(head * inputs, (head + 1) * inputs)
        connect("expand", squeezed[ins], saliency[outs], expand[outs], bias[outs], RELU)
    made.append(
        Choose(
            path=path,
            logits=saliency,
            attention=(),
            outputs=gates,
            heads=heads,
            kept=arguments["kept"],
            distinct=arguments.get("drop_ties", False),
        )
    )
    return made, gates
