"""The graph of an ONNX file while it is written: nodes in order, and the tensors that they read.

A node makes one value, or several, and a value has the name of its node, which starts with the path of its layer. A
weight has the name that it has in the state dict. What several layers read is there once; its name has a slash, which
no path has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from igcnas.modules.lowering import EPSILON

BATCH = "batch"


@dataclass(slots=True)
class Graph:
    """Grows node by node. `state`: the tensors of the network; those that no node reads are not written."""

    state: Mapping[str, torch.Tensor]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: dict[str, onnx.TensorProto] = field(default_factory=dict)
    shapes: list[onnx.ValueInfoProto] = field(default_factory=list)

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add one that makes one value; the name of that."""
        return self.split(operator, inputs, name, (name,), **attributes)[0]

    def split(
        self, operator: str, inputs: Sequence[str], name: str, outputs: Sequence[str], **attributes: Any
    ) -> Sequence[str]:
        """Add one that makes these values."""
        self.nodes.append(helper.make_node(operator, list(inputs), list(outputs), name, **attributes))
        return outputs

    def weight(self, name: str) -> str:
        """A tensor of the network."""
        return self.tensor(name, self.state[name].numpy())

    def weights(self, path: str, *, bias: bool) -> list[str]:
        """The weight of a layer and, if it has one, its bias."""
        return [self.weight(f"{path}.{one}") for one in (("weight", "bias") if bias else ("weight",))]

    def tensor(self, name: str, array: np.ndarray) -> str:
        """A tensor, which may be the same as one that was written under this name before."""
        if name not in self.tensors:
            self.tensors[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def integers(self, *numbers: int) -> str:
        """A list that operators are told by, as the axes of a slice."""
        return self.tensor(f"integers/{','.join(map(str, numbers))}", np.array(numbers, np.int64))

    def number(self, value: float) -> str:
        """One float."""
        return self.tensor(f"number/{value:g}", np.array(value, np.float32))

    def convolution(self, inputs: Sequence[str], name: str, *, kernel: int, stride: int = 1, groups: int = 1) -> str:
        """inputs: what is convolved, the weight and, if any, the bias."""
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
        return self.node("Conv", inputs, name, group=groups, **window)

    def linear(self, x: str, path: str, *, bias: bool) -> str:
        """A layer of the network."""
        return self.node("Gemm", [x, *self.weights(path, bias=bias)], path, transB=1)

    def norm(self, x: str, path: str) -> str:
        """A layer of the network, of values with pixels or without."""
        tensors = [self.weight(f"{path}.{one}") for one in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", [x, *tensors], path, epsilon=EPSILON)

    def average(self, x: str, name: str) -> str:
        """Over the pixels: (batch, channels)."""
        return self.node("Flatten", [self.node("GlobalAveragePool", [x], f"{name}.mean")], name)

    def slice(self, x: str, name: str, **where: Sequence[int]) -> str:
        """where: starts, ends, axes and, if any, steps, in this order."""
        return self.node("Slice", [x, *(self.integers(*numbers) for numbers in where.values())], name)

    def shape(self, value: str, dimensions: Sequence[int]) -> None:
        """Note that of a value, for one image."""
        self.shapes.append(described(value, dimensions))

    def made(self, name: str, inputs: onnx.ValueInfoProto, output: onnx.ValueInfoProto) -> onnx.GraphProto:
        """The whole of it."""
        return helper.make_graph(
            self.nodes, name, [inputs], [output], list(self.tensors.values()), value_info=self.shapes
        )


def described(value: str, dimensions: Sequence[int]) -> onnx.ValueInfoProto:
    """Floats of this shape for each image, in batches of any size."""
    return helper.make_tensor_value_info(value, TensorProto.FLOAT, [BATCH, *dimensions])
