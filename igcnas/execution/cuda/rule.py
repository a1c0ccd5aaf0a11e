"""Which way a convolution is computed on a GPU: by the roofline, not by trying.

A training step passes a convolution three times: output, gradient of the input, gradient of the weights. Each pass
takes the longer of its bytes at the rate of the memory and its products at the rate of the arithmetic. What a way needs
besides (a pass that applies a pending norm, one that takes statistics, copies that bring channels in order) counts as
bytes. The constants are for an H100 and rough; ratios decide, and the ways differ by factors:

memory 3.0e12 bytes/s: what a copy on the device reaches.
cache 5.5e12 bytes/s: second-level cache, for operands that a tiled kernel reads again for each 64 channels.
matrix: half of the dense peak for large libraries' products (798e12 in bf16), a quarter for our kernels, whose tiles
are small; fp32 is multiplied without tensor cores unless TF32 is asked for.
grouped 0.2: share of the memory's rate that group convolutions of the library reach in training; the threads that
measured them found them 3 to 10 times slower than their bytes.
indexed 0.25: share that loads of single bf16 values through an index vector reach; those of 16 bytes reach all.
launch 2.5e-6 s: the shortest node of a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

_TILE, _SECTOR, _ALIGNED = 64, 32, 16
_PASSES = 3


class Way(StrEnum):
    """library: one dense product or convolution of cuBLAS or cuDNN, groups and permutations folded into its weight.
    tiled: our kernel on the same dense weight; it applies what is pending on load and takes statistics on the way out.
    grouped: our kernel on the groups as they are, with an index vector where channels are permuted.
    batched: one product for each group, on views with strides.
    groups: the group convolution of the library. depthwise: our depthwise kernel.
    """

    LIBRARY = "library"
    TILED = "tiled"
    GROUPED = "grouped"
    BATCHED = "batched"
    GROUPS = "groups"
    DEPTHWISE = "depthwise"


POINTWISE = (Way.LIBRARY, Way.TILED, Way.GROUPED, Way.BATCHED, Way.GROUPS)
SPATIAL = (Way.LIBRARY, Way.GROUPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Rates, as above. kernels: whether ours run there (Triton is installed)."""

    memory: float = 3.0e12
    cache: float = 5.5e12
    matrix: float = 0.5 * 798e12
    tiled: float = 0.25 * 798e12
    single: float = 0.5 * 67e12
    grouped: float = 0.2
    indexed: float = 0.25
    launch: float = 2.5e-6
    kernels: bool = True


H100 = Machine()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A convolution of a step. pixels: batch * height * width of the output; in_pixels: of the input.

    permuted: the input is not stored in its order. arranged: the output is wanted in another order than its own.
    pending: a norm or an activation is still to be applied to the input. statistics: a norm reads the output.
    itemsize: bytes of an activation.
    """

    in_channels: int
    out_channels: int
    groups: int = 1
    kernel: int = 1
    pixels: int
    in_pixels: int
    permuted: bool = False
    arranged: bool = False
    pending: bool = True
    statistics: bool = True
    itemsize: int = 2

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one pass."""
        return self.pixels * self.in_channels * self.out_channels * self.kernel**2 // self.groups


def choose(shape: Shape, machine: Machine = H100) -> Way:
    """The fastest way by the roofline."""
    return min(allowed(shape, machine), key=lambda way: seconds(way, shape, machine))


def allowed(shape: Shape, machine: Machine = H100) -> Iterable[Way]:
    """Ways that read the input where it lies. Groups of the library and strided products want it in order."""
    for way in POINTWISE if shape.kernel == 1 and shape.pixels == shape.in_pixels else SPATIAL:
        if way in (Way.TILED, Way.GROUPED) and not machine.kernels:
            continue
        if way in (Way.GROUPED, Way.BATCHED, Way.GROUPS) and shape.groups == 1:
            continue
        if way in (Way.BATCHED, Way.GROUPS) and shape.permuted:
            continue
        if way is Way.BATCHED and not _aligned(shape):
            continue
        yield way


def seconds(way: Way, shape: Shape, machine: Machine = H100) -> float:
    """Of the three passes of a training step, and of what the way needs besides."""
    return _WAYS[way](shape, machine) + _order(way, shape, machine)


def _library(shape: Shape, machine: Machine) -> float:
    dense = replace(shape, groups=1)
    read, written = _bytes(shape)
    product = max((read + written) / machine.memory, 2 * dense.macs / _rate(machine, shape, machine.matrix))
    return _PASSES * (product + machine.launch) + _besides(shape, machine)


def _groups(shape: Shape, machine: Machine) -> float:
    read, written = _bytes(shape)
    product = max((read + written) / (machine.grouped * machine.memory), 2 * shape.macs / machine.single)
    return _PASSES * (product + machine.launch) + _besides(shape, machine)


def _batched(shape: Shape, machine: Machine) -> float:
    read, written = _bytes(shape)
    ins, outs = shape.in_channels // shape.groups, shape.out_channels // shape.groups
    waste = max(_up(side * shape.itemsize, _SECTOR) / (side * shape.itemsize) for side in (ins, outs))
    products = 2 * shape.pixels * shape.groups * _up(ins, _TILE) * _up(outs, _TILE)
    product = max(waste * (read + written) / machine.memory, products / _rate(machine, shape, machine.matrix))
    return _PASSES * (product + machine.launch) + _besides(shape, machine)


def _tiled(shape: Shape, machine: Machine) -> float:
    return _own(replace(shape, groups=1), machine, 1.0)


def _grouped(shape: Shape, machine: Machine) -> float:
    return _own(shape, machine, machine.indexed if shape.permuted else 1.0)


def _own(shape: Shape, machine: Machine, share: float) -> float:
    """Our product kernels: nothing besides, operands read again by each block of channels of the other side."""
    read, written = _bytes(shape)
    slope = written * (2 if shape.statistics else 1)  # the lazy gradient is two tensors
    again_in = _up(shape.out_channels // shape.groups, _TILE) // _TILE - 1
    again_out = _up(shape.in_channels // shape.groups, _TILE) // _TILE - 1
    memory = share * machine.memory
    forward = read / memory + written / machine.memory + again_in * read / machine.cache
    inward = (slope + (2 if shape.pending else 1) * read) / memory + again_out * slope / machine.cache
    weights = (read + slope) / memory + (again_in * read + again_out * slope) / machine.cache
    arithmetic = 2 * _touched(shape) / _rate(machine, shape, machine.tiled)
    return sum(max(one, arithmetic) + machine.launch for one in (forward, inward, weights))


def _depthwise(shape: Shape, machine: Machine) -> float:
    read, written = _bytes(shape)
    slope = written * (2 if shape.statistics else 1)
    total = (read + written) + (slope + (2 if shape.pending else 1) * read) + (read + slope)
    return total / machine.memory + _PASSES * machine.launch


def _touched(shape: Shape) -> int:
    """Products of a pass in tiles: each tile of outputs takes the whole groups that it touches."""
    ins, outs = shape.in_channels // shape.groups, shape.out_channels // shape.groups
    tile = min(_TILE, _up(shape.out_channels, _ALIGNED))
    touched = min(shape.groups, -(-tile // outs)) * ins
    return shape.pixels * _up(shape.out_channels, tile) * _up(touched, _ALIGNED)


def _besides(shape: Shape, machine: Machine) -> float:
    """Passes that a library's product needs around it: the pending affine, statistics, and both again backwards."""
    read, written = _bytes(shape)
    moved, launches = 0.0, 0
    if shape.pending:
        moved, launches = moved + 2 * read + 3 * read, launches + 2
    if shape.statistics:
        moved, launches = moved + written + 3 * written, launches + 2
    return moved / machine.memory + launches * machine.launch


def _order(way: Way, shape: Shape, machine: Machine) -> float:
    """Outputs that are wanted in another order cost a copy each way where the weight cannot bring them there."""
    if not shape.arranged or way in (Way.LIBRARY, Way.TILED, Way.DEPTHWISE):
        return 0.0
    return 4 * _bytes(shape)[1] / machine.memory + 2 * machine.launch


def _bytes(shape: Shape) -> tuple[int, int]:
    return (
        shape.in_pixels * shape.in_channels * shape.itemsize,
        shape.pixels * shape.out_channels * shape.itemsize,
    )


def _rate(machine: Machine, shape: Shape, matrix: float) -> float:
    return matrix if shape.itemsize == 2 else machine.single


def _aligned(shape: Shape) -> bool:
    sides = (shape.in_channels // shape.groups, shape.out_channels // shape.groups)
    return all(side * shape.itemsize % _ALIGNED == 0 for side in sides)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


_WAYS: dict[Way, Callable[[Shape, Machine], float]] = {
    Way.LIBRARY: _library,
    Way.TILED: _tiled,
    Way.GROUPED: _grouped,
    Way.BATCHED: _batched,
    Way.GROUPS: _groups,
    Way.DEPTHWISE: _depthwise,
}
