"""A lowered network as a Graph: gathers become the order in which values are read, norms part of what they follow.

A norm is folded where a convolution, with nothing but gathers between, is read by it alone; weights are scaled and a
bias is added. Others stay: those before an activation of a value that others read too (pre-activation, dense
connections), and those behind a convolution that each image gates, which has no bias.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from igcnas.modules.folding.graph import Block, Graph, Indices, Node, View
from igcnas.modules.lowering import EPSILON, Lowered
from igcnas.network.flow import Append, Mean, Step, Sum, consumers, flow
from igcnas.network.primitives import (
    Activation,
    Convolution,
    Gather,
    GlobalPool,
    Linear,
    Norm,
    Normalize,
    Permutation,
    Pool,
    SplitConvolution,
)


def read(lowered: Lowered) -> Graph:
    """The graph of a lowered network."""
    reader = _Reader(lowered)
    for number, step in enumerate(reader.steps):
        reader.step(step, number + 1)
    return Graph(nodes=reader.nodes, widths=reader.widths, result=reader.views[-1])


class _Reader:
    """Goes through the steps once. views: of each value of the flow; sole: whether its node is read by one step."""

    def __init__(self, lowered: Lowered) -> None:
        self.state = lowered.state
        self.steps = flow(lowered.plan)
        self.readers = consumers(self.steps)
        channels = lowered.plan.input_shape[0]
        self.widths = [channels]
        self.views = [View(0, tuple(range(channels)))]
        self.nodes: list[Node] = []
        self.makers: dict[int, Node] = {}
        self.sole = [len(self.readers[0]) == 1]

    def step(self, step: Step, number: int) -> None:
        """One step, which makes the value of this number."""
        reads = [self.views[value] for value in step.inputs]
        layer = step.operation
        alone = len(self.readers[number]) == 1
        maker = self.makers.get(reads[0].value)
        self.sole.append(alone)
        match layer:
            case Gather() | Permutation():
                view = View(reads[0].value, tuple(reads[0].indices[i] for i in layer.indices))
                self.sole[-1] = alone and self.sole[step.inputs[0]]
                if self._flows(view) or (alone and self._absorbed(self.readers[number][0])):
                    self.views.append(view)
                else:
                    self._add("select", step, [view])
            case Norm() if maker is not None and self._folds(maker, reads[0]) and self.sole[step.inputs[0]]:
                _fold(maker, reads[0].indices, _affine(self._tensors(step.path)))
                self.views.append(reads[0])
            case Convolution() if self._flows(reads[0]) and _depthwise(layer):
                self._channelwise(step, reads[0])
            case Convolution() | SplitConvolution() | Linear():
                tensors = self._tensors(step.path)
                node = self._add("mix", step, reads)
                node.blocks = _blocks(layer, reads[0].indices, tensors)
                node.tensors = {"bias": tensors["bias"]} if "bias" in tensors else {}
            case Normalize() | Norm() | Activation() | Pool() | GlobalPool() | Mean():
                self._channelwise(step, reads[0])
            case Sum():
                self._add("sum", step, reads)
            case Append():
                self._add("append", step, reads)
            case _:
                self._add("fixed", step, reads).tensors = self._tensors(step.path)

    def _tensors(self, path: str) -> dict[str, torch.Tensor]:
        prefix = f"{path}."
        found = {name[len(prefix) :]: tensor for name, tensor in self.state.items() if name.startswith(prefix)}
        return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in found.items()}

    def _flows(self, view: View) -> bool:
        """Whether it has each channel of its value once."""
        return view.permutes and len(view.indices) == self.widths[view.value]

    def _absorbed(self, number: int) -> bool:
        """Whether this step reads its channels from anywhere, or passes on where they come from."""
        operation = self.steps[number].operation
        return isinstance(operation, Convolution | SplitConvolution | Linear | Gather | Permutation)

    def _folds(self, maker: Node, view: View) -> bool:
        return self._flows(view) and (maker.kind == "mix" or _is_depthwise(maker)) and maker.makes == view.value

    def _add(self, kind: str, step: Step, reads: list[View]) -> Node:
        made = len(self.widths)
        width = step.shape.channels
        node = Node(
            kind=kind,  # type: ignore[arg-type]
            path=step.path,
            layer=step.operation,
            reads=reads,
            makes=made,
            writes=tuple(range(width)),
            shape=step.shape,
        )
        self.widths.append(width)
        self.views.append(View(made, node.writes))
        self.nodes.append(node)
        self.makers[made] = node
        return node

    def _channelwise(self, step: Step, view: View) -> None:
        """On the value itself, whatever order it is read in: the order passes on."""
        node = self._add("channelwise", step, [View(view.value, tuple(range(len(view.indices))))])
        self.views[-1] = View(node.makes, view.indices)
        if isinstance(step.operation, Mean):  # its path is that of a whole sequence
            return
        place = torch.empty(len(view.indices), dtype=torch.long)
        place[list(view.indices)] = torch.arange(len(view.indices))
        node.tensors = {
            name: tensor[place] if tensor.dim() else tensor for name, tensor in self._tensors(step.path).items()
        }
        if isinstance(step.operation, Normalize):
            means = [step.operation.mean[j] for j in place.tolist()]
            stds = [step.operation.std[j] for j in place.tolist()]
            node.layer = step.operation._replace(mean=tuple(means), std=tuple(stds))


def _depthwise(layer: Convolution) -> bool:
    return layer.in_channels == layer.out_channels == layer.groups


def _is_depthwise(node: Node) -> bool:
    return node.kind == "channelwise" and isinstance(node.layer, Convolution)


def _blocks(
    layer: Convolution | SplitConvolution | Linear, indices: Indices, tensors: Mapping[str, torch.Tensor]
) -> list[Block]:
    """By group; groups without inputs, or without filters, have empty weights."""
    match layer:
        case Convolution():
            sizes = [(layer.in_channels // layer.groups, layer.out_channels // layer.groups)] * layer.groups
            weights = list(tensors["weight"].chunk(layer.groups))
        case SplitConvolution():
            sizes = list(zip(layer.in_groups, layer.out_groups, strict=True))
            empty = torch.zeros(0, dtype=torch.float64)
            weights = [
                tensors[f"convs.{g}.weight"] if i and o else empty.view(o, i, 1, 1) for g, (i, o) in enumerate(sizes)
            ]
        case Linear():
            sizes = [(layer.in_features, layer.out_features)]
            weights = [tensors["weight"][:, :, None, None]]
    blocks, start, first = [], 0, 0
    for (inputs, filters), weight in zip(sizes, weights, strict=True):
        blocks.append(Block(indices[start : start + inputs], tuple(range(first, first + filters)), weight))
        start, first = start + inputs, first + filters
    return blocks


def _affine(norm: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift of a norm."""
    scale = norm["weight"] / (norm["running_var"] + EPSILON).sqrt()
    return scale, norm["bias"] - norm["running_mean"] * scale


def _fold(maker: Node, indices: Indices, affine: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Scale the filters and move the bias; channel indices[j] of the maker has scale and shift j."""
    places = torch.tensor(indices)
    scale, shift = (torch.empty_like(given).index_copy(0, places, given) for given in affine)
    bias = maker.tensors.get("bias")
    maker.tensors["bias"] = shift if bias is None else bias * scale + shift
    if maker.kind == "channelwise":
        maker.tensors["weight"] = maker.tensors["weight"] * scale[:, None, None, None]
    maker.blocks = [
        block._replace(weight=block.weight * scale[list(block.filters), None, None, None]) for block in maker.blocks
    ]
