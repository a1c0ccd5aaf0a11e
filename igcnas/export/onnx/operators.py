"""The ONNX nodes of each step of a plan. Each of them means what the torch module of the step does.

Only operators whose meaning, and the way they are told it, is the same in all opsets that are written: axes are
inputs nowhere but in Slice, Unsqueeze and ReduceSum, and pixels are averaged by GlobalAveragePool, not by ReduceMean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igcnas.export.onnx.gated import gated
from igcnas.export.onnx.graph import Graph
from igcnas.network.flow import Append, Mean, Operation, Step, Sum
from igcnas.network.primitives import (
    Activation,
    Convolution,
    GatedConvolution,
    Gather,
    GlobalPool,
    Linear,
    Norm,
    Normalize,
    PadShortcut,
    Permutation,
    Pool,
    SplitConvolution,
)

_SIX = 6.0


def write_step(graph: Graph, step: Step, inputs: Sequence[str]) -> str:
    """Add the nodes of one step, which reads the values of these names; the name of the value that it makes."""
    path, layer = step.path, step.operation
    match layer:
        case Convolution():
            return _convolution(graph, layer, path, inputs[0])
        case SplitConvolution():
            return _split(graph, layer, path, inputs[0])
        case GatedConvolution():
            return gated(graph, layer, path, inputs)
        case Permutation() | Gather():
            indices = graph.tensor(f"{path}.indices", np.array(layer.indices, np.int64))
            return graph.node("Gather", [inputs[0], indices], path, axis=1)
        case Normalize():
            mean, std = (
                graph.tensor(f"{path}.{name}", np.array(numbers, np.float32).reshape(1, -1, 1, 1))
                for name, numbers in (("mean", layer.mean), ("std", layer.std))
            )
            return graph.node("Div", [graph.node("Sub", [inputs[0], mean], f"{path}.centred"), std], path)
        case Norm():
            return graph.norm(inputs[0], path)
        case Activation(kind="relu"):
            return graph.node("Relu", inputs, path)
        case Activation():
            return graph.node("Clip", [inputs[0], graph.number(0.0), graph.number(_SIX)], path)
        case Pool():
            return _pool(graph, layer, path, inputs[0])
        case PadShortcut():
            return _shortcut(graph, layer, path, inputs[0])
        case GlobalPool():
            return graph.average(inputs[0], path)
        case Mean():
            return graph.average(inputs[0], f"{path}.{layer.name}" if path else layer.name)
        case Linear():
            return graph.linear(inputs[0], path, bias=layer.bias)
        case Sum():
            return graph.node("Add", inputs, path)
        case Append():
            return graph.node("Concat", inputs, path, axis=1)


def is_vector(operation: Operation, of_vector: bool) -> bool:
    """Whether a step makes numbers without pixels: (batch, channels). of_vector: the first value it reads does."""
    return isinstance(operation, GlobalPool | Mean | Linear) or of_vector


def _convolution(graph: Graph, layer: Convolution, path: str, x: str) -> str:
    tensors = [x, *graph.weights(path, bias=layer.bias)]
    return graph.convolution(tensors, path, kernel=layer.kernel, stride=layer.stride, groups=layer.groups)


def _split(graph: Graph, layer: SplitConvolution, path: str, x: str) -> str:
    """A convolution for each group, of its part of the channels; one without inputs convolves any channel by zeros."""
    parts = dict(zip(*_inputs(graph, layer, path, x), strict=True))
    bias = graph.state[f"{path}.bias"].numpy() if layer.bias else None
    made: list[str] = []
    first = 0
    for group, (inputs, outputs) in enumerate(zip(layer.in_groups, layer.out_groups, strict=True)):
        if outputs:
            name = f"{path}.convs.{group}"
            if inputs:
                tensors = [parts[group], graph.weight(f"{name}.weight")]
            else:
                channel = graph.slice(x, f"{name}.channel", starts=[0], ends=[1], axes=[1])
                tensors = [channel, graph.tensor(f"{name}.weight", np.zeros((outputs, 1, 1, 1), np.float32))]
            if bias is not None:
                tensors.append(graph.tensor(f"{name}.bias", bias[first : first + outputs]))
            made.append(graph.convolution(tensors, name, kernel=1))
        first += outputs
    return graph.node("Concat", made, path, axis=1)


def _inputs(graph: Graph, layer: SplitConvolution, path: str, x: str) -> tuple[list[int], Sequence[str]]:
    """The groups that read something, and the names of what they read."""
    groups = [group for group, inputs in enumerate(layer.in_groups) if inputs]
    if len(groups) == 1:
        return groups, [x]
    sizes = graph.integers(*(layer.in_groups[group] for group in groups))
    names = [f"{path}.inputs.{group}" for group in groups]
    return groups, graph.split("Split", [x, sizes], f"{path}.inputs", names, axis=1)


def _pool(graph: Graph, layer: Pool, path: str, x: str) -> str:
    """What is beyond the border counts neither as a maximum nor in an average."""
    window = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2}
    if layer.kind == "max":
        return graph.node("MaxPool", [x], path, pads=[layer.kernel // 2] * 4, **window)
    return graph.node("AveragePool", [x], path, ceil_mode=1, **window)


def _shortcut(graph: Graph, layer: PadShortcut, path: str, x: str) -> str:
    """Every stride-th pixel between channels of zeros."""
    if layer.stride > 1:
        ends, steps = list(layer.in_size), [layer.stride] * 2
        x = graph.slice(x, f"{path}.sample", starts=[0, 0], ends=ends, axes=[2, 3], steps=steps)
    new = layer.out_channels - layer.in_channels
    before = new // 2
    return graph.node("Pad", [x, graph.integers(0, before, 0, 0, 0, new - before, 0, 0)], path)
