"""From an architecture to its plan: the tree of primitive layers from which costs, modules and pictures are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from igcnas.network.architecture import Architecture
from igcnas.network.blocks import block_layers
from igcnas.network.primitives import (
    Activation,
    Convolution,
    Gated,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    Pool,
    Primitive,
    Sequence,
    Size,
    halve,
    walk,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole network as one Sequence, and the shape of the image it takes: (channels, height, width)."""

    root: Sequence
    input_shape: tuple[int, int, int]

    def layers(self) -> Iterator[tuple[str, Primitive]]:
        """Every primitive in the order of execution, with the name of its torch module."""
        return walk(self.root)


def plan(architecture: Architecture) -> Plan:
    """The primitive layers of a network: stem, stages, optional head, pooling, classifier."""
    channels, *size = architecture.input_shape
    activation = architecture.activation
    stem, in_size = _stem(architecture, channels, (size[0], size[1]))
    children: list[Layer] = [Sequence("stem", stem)]
    width = architecture.stem_channels
    for number, stage in enumerate(architecture.stages, start=1):
        blocks: list[Layer] = []
        for repeat in range(1, stage.repeats + 1):
            stride = stage.stride if repeat == 1 else 1
            layers = block_layers(stage.block, width, stage.width, stride, in_size, activation)
            blocks.append(_block(f"block{repeat}", layers))
            if stride != 1:
                in_size = halve(in_size, stride)
            width = stage.block.out_channels(width, stage.width)
        children.append(Sequence(f"stage{number}", tuple(blocks)))
    if architecture.preactivation:
        last = (Norm("norm", width, in_size), Activation("act", activation, width, in_size))
        children.append(Sequence("last", last))
    if architecture.head_channels:
        children.append(Sequence("head", _unit(width, architecture.head_channels, 1, 1, in_size, activation)))
        width = architecture.head_channels
    children.append(GlobalPool("pool", width, in_size))
    children.append(
        Linear(
            "classifier",
            width,
            architecture.num_classes,
            bias=architecture.classifier_bias,
            factor=architecture.condense_classifier,
        )
    )
    return Plan(Sequence("", tuple(children)), architecture.input_shape)


def _block(name: str, layers: tuple[Layer, ...]) -> Sequence | Gated:
    """One block; where all of it is one Gated sequence the block is that, so that names are those without gates."""
    if len(layers) == 1 and isinstance(layers[0], Gated):
        return layers[0]._replace(name=name)
    return Sequence(name, layers)


def _stem(architecture: Architecture, channels: int, in_size: Size) -> tuple[tuple[Layer, ...], Size]:
    """Layers of the stem, and the size of what comes out."""
    width, kernel, stride = architecture.stem_channels, architecture.stem_kernel, architecture.stem_stride
    unit = _unit(channels, width, kernel, stride, in_size, architecture.activation)
    out_size = unit[0].out_size
    layers: tuple[Layer, ...] = unit[:1] if architecture.preactivation else unit
    if architecture.stem_pool:
        pool = Pool("pool", "max", width, 3, 2, out_size)
        return (*layers, pool), pool.out_size
    return layers, out_size


def _unit(
    in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size, activation: str
) -> tuple[Convolution, Norm, Activation]:
    conv = Convolution("conv", in_channels, out_channels, kernel, stride, 1, in_size)
    return (
        conv,
        Norm("norm", out_channels, conv.out_size),
        Activation("act", activation, out_channels, conv.out_size),
    )
