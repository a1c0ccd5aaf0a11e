"""A plan as steps in the order of execution, each of which makes one value: for what runs or writes a network.

Value 0 is the image; step k makes value k + 1, and the last step makes the logits. What the tree of a plan says by its
shape is a step of its own here: the sum of a residual, the append of a concatenation, and the mean over the pixels that
gated convolutions read. Only plans without learned layers have a flow (`igcnas.modules.lowering`).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from igcnas.errors import ExportError
from igcnas.network.plan import Plan
from igcnas.network.primitives import (
    Activation,
    Concat,
    Convolution,
    Gated,
    GatedConvolution,
    Gather,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    Normalize,
    PadShortcut,
    Permutation,
    Pool,
    Primitive,
    Residual,
    Sequence,
    Size,
    SplitConvolution,
    halve,
)
from igcnas.network.upstream import is_gated


class Sum(NamedTuple):
    """The sum of two values: body(x) + shortcut(x)."""

    name: str


class Append(NamedTuple):
    """The channels of the first value, then those of the second."""

    name: str


class Mean(NamedTuple):
    """Mean over the pixels: what the gated convolutions of a sequence read besides their input."""

    name: str


Operation: TypeAlias = Primitive | Sum | Append | Mean


class Shape(NamedTuple):
    """Of a value, for one image; a vector has the size (1, 1)."""

    channels: int
    size: Size

    @property
    def elements(self) -> int:
        """Numbers in it."""
        return self.channels * self.size[0] * self.size[1]


class Step(NamedTuple):
    """One operation.

    Attributes:
        path: of the layer in the plan, which is the name of its torch module; that of its sequence for a Mean.
        operation: what is done.
        inputs: the values it reads, by number; a gated convolution reads its input, then the mean of the context.
        shape: of the value that it makes.
    """

    path: str
    operation: Operation
    inputs: tuple[int, ...]
    shape: Shape


def flow(network: Plan) -> tuple[Step, ...]:
    """The steps of a plan; ExportError where a layer is still learned."""
    return tuple(_Flow(network).steps)


def consumers(steps: tuple[Step, ...]) -> list[list[int]]:
    """For each value, the steps that read it, in order; a step that reads it twice stands there twice."""
    found: list[list[int]] = [[] for _ in range(len(steps) + 1)]
    for number, step in enumerate(steps):
        for value in step.inputs:
            found[value].append(number)
    return found


class _Flow:
    """Goes through a plan once."""

    def __init__(self, network: Plan) -> None:
        channels, height, width = network.input_shape
        self.steps: list[Step] = []
        self.shapes = [Shape(channels, (height, width))]
        self.row(network.root, "", 0)

    def row(self, layers: Sequence | Gated, path: str, value: int) -> int:
        """Layers in order; the number of the last value."""
        context: int | None = None
        for index, layer in enumerate(layers.layers):
            where = f"{path}.{layer.name}" if path else layer.name
            if isinstance(layers, Gated) and index == layers.skip:
                channels = self.shapes[value].channels
                context = self.add(path, Mean("context"), (value,), Shape(channels, (1, 1)))
            value = self.layer(layer, where, value, context)
        return value

    def layer(self, layer: Layer, path: str, value: int, context: int | None) -> int:
        """One layer of the tree."""
        if isinstance(layer, Sequence | Gated):
            return self.row(layer, path, value)
        shape = self.shapes[value]
        if isinstance(layer, Concat):
            body = self.row(layer.body, f"{path}.body", value)
            channels = shape.channels + self.shapes[body].channels
            return self.add(path, Append(layer.name), (value, body), Shape(channels, self.shapes[body].size))
        if isinstance(layer, Residual):
            body = self.row(layer.body, f"{path}.body", value)
            shortcut = self.row(layer.shortcut, f"{path}.shortcut", value)
            return self.add(path, Sum(layer.name), (body, shortcut), self.shapes[body])
        inputs: tuple[int, ...] = (value,)
        if isinstance(layer, GatedConvolution) and is_gated(layer):
            assert context is not None, f"{path} reads a context, and its sequence has none"
            inputs = (value, context)
        return self.add(path, layer, inputs, _shape(layer, path, shape))

    def add(self, path: str, operation: Operation, inputs: tuple[int, ...], shape: Shape) -> int:
        """Note one step; the number of its value."""
        self.steps.append(Step(path, operation, inputs, shape))
        self.shapes.append(shape)
        return len(self.shapes) - 1


def _shape(layer: Primitive, path: str, before: Shape) -> Shape:
    """Of what a primitive makes of a value of this shape."""
    match layer:
        case Convolution(learned=None) | GatedConvolution() | PadShortcut():
            return Shape(layer.out_channels, halve(before.size, layer.stride))
        case Convolution():
            raise ExportError(f"layer {path} is still learned; lower the network first")
        case SplitConvolution():
            return Shape(layer.out_channels, before.size)
        case Permutation() | Gather():
            return Shape(len(layer.indices), before.size)
        case Normalize() | Norm() | Activation():
            return before
        case Pool():
            return Shape(before.channels, layer.out_size)
        case GlobalPool():
            return Shape(before.channels, (1, 1))
        case Linear():
            return Shape(layer.out_features, (1, 1))
