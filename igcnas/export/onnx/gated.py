"""The ONNX nodes of a convolution of which each image chooses the input channels.

It convolves as many copies of its input as it has heads, each multiplied by the gates of its head. What makes the gates
from a mean over pixels depends on the kind: here for MSGC and DGC, node by node as in igcnas/modules/layers/gated.py; a
kind of another package says it itself (`GatedModule.gates_in_onnx`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from onnx import TensorProto

from igcnas.errors import ExportError
from igcnas.export.onnx.graph import Graph
from igcnas.modules.layers import GatedModule, gated_arguments, learned_class
from igcnas.modules.lowering import EPSILON
from igcnas.network.primitives import GatedConvolution

_GENERATOR = ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var")
Gates: TypeAlias = Callable[[Graph, GatedConvolution, str, str], str]


def gated(graph: Graph, layer: GatedConvolution, path: str, inputs: Sequence[str]) -> str:
    """Add the nodes of one layer; inputs: what is convolved and, where its block has one, the mean of the block."""
    x = inputs[0]
    context = inputs[1] if len(inputs) > 1 else graph.average(x, f"{path}.context")
    heads = len(set(layer.grouping.heads_of(layer.out_channels) or (0,)))
    gates = _writer(layer)(graph, layer, path, context)
    factors = graph.node("Reshape", [gates, graph.integers(-1, heads * layer.in_channels, 1, 1)], f"{path}.factors")
    copies = graph.node("Concat", [x] * heads, f"{path}.copies", axis=1) if heads > 1 else x
    weighted = graph.node("Mul", [copies, factors], f"{path}.weighted")
    tensors = [weighted, graph.weight(f"{path}.weight")]
    return graph.convolution(tensors, path, kernel=layer.kernel, stride=layer.stride, groups=heads)


def _writer(layer: GatedConvolution) -> Gates:
    """What writes the gates of this kind."""
    if (known := _GATES.get(layer.grouping.kind)) is not None:
        return known
    cls = learned_class(layer.grouping)
    assert issubclass(cls, GatedModule), f"{cls.__name__} has no gates"
    if cls.gates_in_onnx is None:
        raise ExportError(
            f"layer {layer.name}: a {cls.__name__} does not say how its gates are written in ONNX; nothing was "
            "exported: it must set `gates_in_onnx` (docs/extending.md)"
        )
    return cls.gates_in_onnx


def _spectral(graph: Graph, layer: GatedConvolution, path: str, context: str) -> str:
    """As GatedConv.gates."""
    logits = _generated(graph, f"{path}.mask_generator", context)
    kept = graph.node("GreaterOrEqual", [logits, graph.number(0.0)], f"{path}.kept")
    mask = graph.node("Cast", [kept], f"{path}.mask", to=TensorProto.FLOAT)
    if not gated_arguments(layer)["attention"]:
        return mask
    attention = _generated(graph, f"{path}.attention_generator", context)
    return graph.node("Mul", [mask, attention], f"{path}.gates")


def _generated(graph: Graph, path: str, context: str) -> str:
    """Two linear layers with a norm and an activation between them; the norm is folded into the first.

    ONNX Runtime folds no norm into a linear layer, and these are so small that a node more is time.
    """
    state = {name: graph.state[f"{path}.{name}"].double() for name in _GENERATOR}
    scale = state["1.weight"] / (state["1.running_var"] + EPSILON).sqrt()
    weight = graph.tensor(f"{path}.folded.weight", (state["0.weight"] * scale[:, None]).float().numpy())
    bias = graph.tensor(f"{path}.folded.bias", (state["1.bias"] - state["1.running_mean"] * scale).float().numpy())
    hidden = graph.node("Gemm", [context, weight, bias], f"{path}.0", transB=1)
    return graph.linear(graph.node("Relu", [hidden], f"{path}.2"), f"{path}.3", bias=True)


def _salient(graph: Graph, layer: GatedConvolution, path: str, context: str) -> str:
    """As SalientConv.gates."""
    arguments = gated_arguments(layer)
    heads, channels = arguments["heads"], layer.in_channels
    hidden = graph.node("Relu", [graph.linear(context, f"{path}.squeeze", bias=False)], f"{path}.hidden")
    hidden = graph.node("Unsqueeze", [hidden, graph.integers(2)], f"{path}.hidden.column")
    weights = [graph.weight(f"{path}.expand.{one}") for one in ("weight", "bias")]
    wanted = graph.node("Conv", [hidden, *weights], f"{path}.expand", group=heads, kernel_shape=[1])
    wanted = graph.node("Relu", [wanted], f"{path}.expand.relu")
    saliency = graph.node("Reshape", [wanted, graph.integers(-1, heads, channels)], f"{path}.saliency")
    chosen = _chosen(graph, path, saliency, arguments["kept"], arguments.get("drop_ties", False), channels)
    return graph.node("Mul", [saliency, chosen], f"{path}.gates")


def _chosen(graph: Graph, path: str, saliency: str, kept: int, drop_ties: bool, channels: int) -> str:
    """As SalientConv.choose: of equal ones the first, without trust in how a runtime breaks ties."""
    dropping = drop_ties and kept < channels
    largest = graph.integers(kept + 1 if dropping else kept)
    top = graph.split("TopK", [saliency, largest], f"{path}.top", [f"{path}.top", f"{path}.top.places"], axis=2)
    least = graph.slice(top[0], f"{path}.least", starts=[-1], ends=[channels], axes=[2])
    more = _ones(graph, "Greater", saliency, least, f"{path}.more")
    if dropping:
        return more
    equal = _ones(graph, "Equal", saliency, least, f"{path}.equal")
    number = graph.node("ReduceSum", [more, graph.integers(2)], f"{path}.more.number", keepdims=1)
    missing = graph.node("Sub", [graph.number(kept), number], f"{path}.missing")
    axis = graph.tensor("integer/2", np.array(2, np.int64))  # this operator is told by a number, not by a list
    place = graph.node("CumSum", [equal, axis], f"{path}.equal.place")
    first = graph.node("Mul", [equal, _ones(graph, "LessOrEqual", place, missing, f"{path}.early")], f"{path}.first")
    return graph.node("Add", [more, first], f"{path}.chosen")


def _ones(graph: Graph, operator: str, left: str, right: str, name: str) -> str:
    """Ones where the comparison holds, else zeros."""
    held = graph.node(operator, [left, right], f"{name}.holds")
    return graph.node("Cast", [held], name, to=TensorProto.FLOAT)


# By the name of the grouping.
_GATES: dict[str, Gates] = {"msgc": _spectral, "dgc": _salient}
