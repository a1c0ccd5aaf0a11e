"""Elements that a training step must move for one image, read from the plan; nothing is measured here.

X and Y are the elements of input and output of a convolution, R those of a sum. Four ways to run the same network:

- unfused: a kernel for each operator, as eager PyTorch. Convolution 3X + 3Y (forward and both gradients); norm 3Y
  forward (statistics, then read and write) and 5Y backward; activation 2Y and 3Y; permutation 2X each way; sum 3R each
  way. Pooling, concatenation and zero-padded shortcuts are copies each way.
- pointwise: norm, activation and sum are one kernel each way: 8Y for a norm, 2R more for a sum. No permutations.
- fused2: affine and activation are applied where the next convolution reads, statistics come from the epilogue; the
  two gradients are separate kernels that read the raw tensors again: 4X + 5Y a convolution, 2R a sum.
- fused1: both gradients come from one reading: 3X + 3Y a convolution, 2R a sum.

Weights, the optimizer, global pooling and the classifier are not counted; all convolutions count alike, with or without
a norm behind them.
"""

from __future__ import annotations

from typing import NamedTuple

from igcnas.network.cost import count_plan, layer_cost
from igcnas.network.plan import Plan
from igcnas.network.primitives import (
    Activation,
    Concat,
    Convolution,
    Gated,
    GatedConvolution,
    Gather,
    Layer,
    Norm,
    PadShortcut,
    Permutation,
    Pool,
    Primitive,
    Residual,
    Sequence,
    Size,
    SplitConvolution,
)

MODELS = ("unfused", "pointwise", "fused2", "fused1")
# Multiply-accumulates of a training step over those of a forward pass: the two gradients cost one pass each.
_PASSES = 3


class Traffic(NamedTuple):
    """Elements for one image in one training step, under each model."""

    unfused: int = 0
    pointwise: int = 0
    fused2: int = 0
    fused1: int = 0

    def plus(self, other: Traffic) -> Traffic:
        """The sum, model by model."""
        return Traffic(*(a + b for a, b in zip(self, other, strict=True)))


class Demand(NamedTuple):
    """What a network asks of a machine for one image of a training step.

    macs: of the forward pass. dense_macs: the same with every group convolution but the depthwise ones run dense.
    activations: elements that come out of convolutions. convolutions: how many there are.
    """

    macs: int
    dense_macs: int
    params: int
    convolutions: int
    activations: int
    traffic: Traffic

    @property
    def flops(self) -> int:
        """Floating-point operations of forward pass and both gradients."""
        return 2 * _PASSES * self.macs


def demand(network: Plan) -> Demand:
    """MACs, parameters and bytes of a network."""
    cost = count_plan(network)
    dense, convolutions, activations = 0, 0, 0
    for _, layer in network.layers():
        macs = layer_cost(layer).macs
        if isinstance(layer, Convolution | SplitConvolution | GatedConvolution):
            convolutions += 1
            activations += elements(layer)[1]
            if isinstance(layer, Convolution) and layer.groups < layer.in_channels:
                macs *= layer.groups
        dense += macs
    return Demand(cost.macs, dense, cost.params, convolutions, activations, traffic(network.root))


def traffic(layer: Layer) -> Traffic:
    """Elements that a layer and all below it move."""
    if isinstance(layer, Residual):
        total = traffic(layer.body).plus(traffic(layer.shortcut))
        summed = output(layer.body)
        return total.plus(Traffic(6 * summed, 2 * summed, 2 * summed, 2 * summed))
    if isinstance(layer, Concat):
        copied = 4 * output(layer.body)
        return traffic(layer.body).plus(Traffic(copied, copied, 0, 0))
    if isinstance(layer, Sequence | Gated):
        total, last = Traffic(), 0
        for child in layer.layers:
            # A permutation does not know its map: it is that of what comes before it.
            moved = Traffic(4 * last) if isinstance(child, Permutation | Gather) else traffic(child)
            total, last = total.plus(moved), output(child, last)
        return total
    return _primitive(layer)


def elements(layer: Primitive) -> tuple[int, int]:
    """Elements of input and output of a layer that changes the map; those of the output twice for one that does not."""
    if isinstance(layer, Convolution | GatedConvolution):
        return layer.in_channels * _area(layer.in_size), layer.out_channels * _area(layer.out_size)
    if isinstance(layer, SplitConvolution):
        return layer.in_channels * _area(layer.in_size), layer.out_channels * _area(layer.in_size)
    if isinstance(layer, Pool):
        return layer.channels * _area(layer.in_size), layer.channels * _area(layer.out_size)
    if isinstance(layer, PadShortcut):
        area = -(-layer.in_size[0] // layer.stride) * -(-layer.in_size[1] // layer.stride)
        return layer.in_channels * area, layer.out_channels * area
    if isinstance(layer, Norm | Activation):
        return (layer.channels * _area(layer.size),) * 2
    return 0, 0


def output(layer: Layer, before: int = 0) -> int:
    """Elements that come out of a layer; `before`: those that come in, for layers that keep them."""
    if isinstance(layer, Residual):
        return output(layer.body, before)
    if isinstance(layer, Concat):
        return before + output(layer.body, before)
    if isinstance(layer, Sequence | Gated):
        for child in layer.layers:
            before = output(child, before)
        return before
    return elements(layer)[1] or before


def _primitive(layer: Primitive) -> Traffic:
    x, y = elements(layer)
    if isinstance(layer, Convolution | SplitConvolution | GatedConvolution):
        return Traffic(3 * (x + y), 3 * (x + y), 4 * x + 5 * y, 3 * (x + y))
    if isinstance(layer, Norm):
        return Traffic(8 * y, 8 * y)
    if isinstance(layer, Activation):
        return Traffic(5 * y)
    if isinstance(layer, Pool):
        return Traffic(*(2 * (x + y),) * 4)
    if isinstance(layer, PadShortcut):
        return Traffic(2 * (x + y))
    return Traffic()


def _area(size: Size) -> int:
    return size[0] * size[1]


def composed(network: Plan) -> Plan:
    """The plan with each chain of convolutions and permutations between norms as the one dense convolution it equals.

    Chains of one convolution, and those with two spatial ones, stay.
    """
    return Plan(_composed(network.root), network.input_shape)


def _composed(layer: Sequence) -> Sequence:
    done: list[Layer] = []
    chain: list[Layer] = []

    def close() -> None:
        convolutions = [child for child in chain if isinstance(child, Convolution)]
        spatial = [child for child in convolutions if child.kernel > 1 or child.stride > 1]
        if len(convolutions) > 1 and len(spatial) <= 1:
            first, last = convolutions[0], convolutions[-1]
            shape = spatial[0] if spatial else first
            done.append(
                first._replace(out_channels=last.out_channels, kernel=shape.kernel, stride=shape.stride, groups=1)
            )
        else:
            done.extend(chain)
        chain.clear()

    for child in layer.layers:
        if isinstance(child, Permutation | Gather) or (isinstance(child, Convolution) and child.learned is None):
            chain.append(child)
            continue
        close()
        if isinstance(child, Sequence):
            done.append(_composed(child))
        elif isinstance(child, Residual) and isinstance(child.body, Sequence):
            done.append(child._replace(body=_composed(child.body), shortcut=_composed(child.shortcut)))
        else:
            done.append(child)
    close()
    return layer._replace(layers=tuple(done))
