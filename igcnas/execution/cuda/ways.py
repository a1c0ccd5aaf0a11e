"""The ways of rule.py, forward and backward: output and statistics, gradient of the weight, that of the input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

import torch

from igcnas.execution.cuda import tensors
from igcnas.execution.cuda.folding import Kernel
from igcnas.execution.values import Gradient, Use, Value
from igcnas.kernels import depthwise, norm, pointwise
from igcnas.kernels.lazy import Moments, Sums
from igcnas.kernels.library import convolution, convolution_backward

if TYPE_CHECKING:
    from igcnas.execution.nodes.convolution import Convolve


class Computation(Protocol):
    """A convolution in one way."""

    def forward(self, node: Convolve, *, statistics: bool, training: bool) -> tuple[torch.Tensor, Moments | None]:
        """The output as it is stored, and its moments where asked for."""
        ...

    def backward(self, node: Convolve, gradient: Gradient, wanted: bool) -> tuple[torch.Tensor | None, Sums | None]:
        """Puts the weight's gradient in its place. The input's, where wanted, in the order of storage.

        With sums: the derivative of the activation is applied, and nothing is to be added; else neither is.
        """
        ...


def whole(use: Use) -> bool:
    """Whether this consumer alone makes the gradient, and something has to be done to it at the end."""
    return use.first and use.last and (use.value.normed or not use.value.plain)


class Own:
    """Our kernels: what is pending on load, sums on the way out. TILED and GROUPED, by the weight."""

    def __init__(self, kernel: Kernel, groups: int, index: bool) -> None:
        self.kernel, self.groups, self.indexed = kernel, groups, index

    def _index(self, value: Value) -> torch.Tensor | None:
        index: torch.Tensor | None = value.rows.index if self.indexed else None
        return index

    def forward(self, node: Convolve, *, statistics: bool, training: bool) -> tuple[torch.Tensor, Moments | None]:
        value = node.use.value
        return pointwise.forward(
            value.storage.array, self.kernel.value, self.groups, index=self._index(value),
            affine=tensors.affine(value), activation=tensors.NAMES[value.code], statistics=statistics,
        )  # fmt: skip

    def backward(self, node: Convolve, gradient: Gradient, wanted: bool) -> tuple[torch.Tensor | None, Sums | None]:
        value, g, slope = node.use.value, gradient.g.array, tensors.lazy(gradient)
        index, affine, activation = self._index(value), tensors.affine(value), tensors.NAMES[value.code]
        room = self.kernel.room
        found = pointwise.weight_grad(
            value.storage.array, g, self.groups, index=index, gradient_affine=slope, affine=affine,
            activation=activation, out=room,
        )  # fmt: skip
        if room is None:
            self.kernel.put(found)
        if not wanted:
            return None, None
        if not whole(node.use):
            return pointwise.input_grad(g, self.kernel.value, self.groups, index=index, gradient_affine=slope)
        return pointwise.input_grad(
            g, self.kernel.value, self.groups, index=index, gradient_affine=slope, x=value.storage.array,
            affine=affine, activation=activation, centre=tensors.centre(value),
        )  # fmt: skip


class Depthwise:
    """Our depthwise kernel; channels stay in the order of storage, and the weight is in that order."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def forward(self, node: Convolve, *, statistics: bool, training: bool) -> tuple[torch.Tensor, Moments | None]:
        value = node.use.value
        return depthwise.forward(
            value.storage.array, self.kernel.value, node.stride, affine=tensors.affine(value),
            activation=tensors.NAMES[value.code], statistics=statistics,
        )  # fmt: skip

    def backward(self, node: Convolve, gradient: Gradient, wanted: bool) -> tuple[torch.Tensor | None, Sums | None]:
        value, g, slope = node.use.value, gradient.g.array, tensors.lazy(gradient)
        affine, activation = tensors.affine(value), tensors.NAMES[value.code]
        room = self.kernel.room
        found = depthwise.weight_grad(
            value.storage.array, g, node.stride, node.kernel, gradient_affine=slope, affine=affine,
            activation=activation, out=room,
        )  # fmt: skip
        if room is None:
            self.kernel.put(found)
        if not wanted:
            return None, None
        weight = self.kernel.value
        if not whole(node.use):
            return depthwise.input_grad(g, weight, node.stride, value.size, gradient_affine=slope)
        return depthwise.input_grad(
            g, weight, node.stride, value.size, gradient_affine=slope, x=value.storage.array, affine=affine,
            activation=activation, centre=tensors.centre(value),
        )  # fmt: skip


class _Library(ABC):
    """Products of a library, between passes that apply what is pending and take statistics.

    `in_rows`: whether the weight reads the order of storage; else the input is brought in order. The activated input is
    kept for the backward pass.
    """

    def __init__(self, kernel: Kernel, *, in_rows: bool) -> None:
        self.kernel, self.in_rows = kernel, in_rows
        self._input: torch.Tensor | None = None

    def forward(self, node: Convolve, *, statistics: bool, training: bool) -> tuple[torch.Tensor, Moments | None]:
        value = node.use.value
        a = tensors.activated(value) if self.in_rows else tensors.ordered(value)
        self._input = a if training else None
        y = self._output(node, a)
        return y, norm.statistics(y) if statistics else None

    def backward(self, node: Convolve, gradient: Gradient, wanted: bool) -> tuple[torch.Tensor | None, Sums | None]:
        assert self._input is not None, "a forward pass in training comes first"
        a, self._input = self._input, None
        found = self._gradients(node, a, tensors.settled(gradient), wanted)
        value = node.use.value
        if found is None or self.in_rows or value.rows.ordered:
            return found, None
        return tensors.select(found, value.rows.back), None

    @abstractmethod
    def _output(self, node: Convolve, a: torch.Tensor) -> torch.Tensor:
        """Of the activated input."""

    @abstractmethod
    def _gradients(self, node: Convolve, a: torch.Tensor, g: torch.Tensor, wanted: bool) -> torch.Tensor | None:
        """The weight's into its place; the input's is returned."""

    def _matrix(self) -> torch.Tensor:
        return self.kernel.value.flatten(1)


class Product(_Library):
    """A 1x1 convolution as one matrix product."""

    def _output(self, node: Convolve, a: torch.Tensor) -> torch.Tensor:
        weight = self._matrix()
        y = tensors.empty(len(a), len(weight), node.out.size, a.dtype, a.device)
        torch.mm(tensors.pixels(a), weight.t(), out=tensors.pixels(y))
        return y

    def _gradients(self, node: Convolve, a: torch.Tensor, g: torch.Tensor, wanted: bool) -> torch.Tensor | None:
        rows_of_g = tensors.pixels(g)
        _product(rows_of_g.t(), tensors.pixels(a), self.kernel)
        if not wanted:
            return None
        da = torch.empty_like(a)
        torch.mm(rows_of_g, self._matrix(), out=tensors.pixels(da))
        return da


class Batched(_Library):
    """A 1x1 convolution as one product for each group, on views of the same memory."""

    def __init__(self, kernel: Kernel, groups: int) -> None:
        super().__init__(kernel, in_rows=False)
        self.groups = groups

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """(groups, pixels, channels of a group)"""
        return tensors.pixels(x).view(-1, self.groups, x.shape[1] // self.groups).transpose(0, 1)

    def _blocks(self) -> torch.Tensor:
        """(groups, outputs, inputs)"""
        weight = self._matrix()
        return weight.view(self.groups, -1, weight.shape[1])

    def _output(self, node: Convolve, a: torch.Tensor) -> torch.Tensor:
        weight = self._blocks()
        y = tensors.empty(len(a), node.out.channels, node.out.size, a.dtype, a.device)
        torch.bmm(self._split(a), weight.transpose(1, 2), out=self._split(y))
        return y

    def _gradients(self, node: Convolve, a: torch.Tensor, g: torch.Tensor, wanted: bool) -> torch.Tensor | None:
        slopes = self._split(g)
        self.kernel.put(torch.bmm(slopes.transpose(1, 2), self._split(a)).view(self.kernel.value.shape))
        if not wanted:
            return None
        da = torch.empty_like(a)
        torch.bmm(slopes, self._blocks(), out=self._split(da))
        return da


class LibraryConvolution(_Library):
    """A convolution of any kernel, stride and groups by the library."""

    def __init__(self, kernel: Kernel, groups: int, *, in_rows: bool) -> None:
        super().__init__(kernel, in_rows=in_rows)
        self.groups = groups

    def _output(self, node: Convolve, a: torch.Tensor) -> torch.Tensor:
        return convolution(a, self.kernel.value, stride=node.stride, pad=node.kernel // 2, groups=self.groups)

    def _gradients(self, node: Convolve, a: torch.Tensor, g: torch.Tensor, wanted: bool) -> torch.Tensor | None:
        da, dw = convolution_backward(
            g,
            a,
            self.kernel.value,
            stride=node.stride,
            pad=node.kernel // 2,
            groups=self.groups,
            wanted=(wanted, True),
        )
        assert dw is not None
        self.kernel.put(dw)
        return da


def _product(one: torch.Tensor, other: torch.Tensor, kernel: Kernel) -> None:
    """The gradient of a matrix: summed and stored in fp32, where the device does that."""
    room = kernel.room
    if room is None or room.dtype != one.dtype:
        wide = one.dtype == torch.bfloat16 and one.device.type == "cuda"
        found = torch.mm(one, other, out_dtype=torch.float32) if wide else torch.mm(one, other)
        kernel.put(found.view(kernel.value.shape))
    else:
        torch.mm(one, other, out=room.flatten(1))
