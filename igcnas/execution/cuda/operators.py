"""The operators on channels_last tensors: Triton kernels and cuBLAS and cuDNN on CUDA, stock operators elsewhere.

Activations and their gradients are of one type, bf16 or fp32; weights, statistics and gradients of parameters are what
the network has. Nothing waits for the device, so that all of it can be captured in a CUDA graph. The number of images
may change from pass to pass.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from igcnas.execution.cuda import rule, tensors
from igcnas.execution.cuda.folding import FoldedKernel, Folding, Kernel, MadeKernel, PlainKernel, inverse
from igcnas.execution.cuda.tensors import Cell, Order
from igcnas.execution.cuda.ways import Batched, Computation, Depthwise, LibraryConvolution, Own, Product
from igcnas.execution.nodes.convolution import Convolve
from igcnas.execution.values import COPY, Gradient, Storage, Use, Value
from igcnas.execution.weights import PlainWeight
from igcnas.kernels import norm
from igcnas.kernels.depthwise import KERNELS, STRIDES
from igcnas.kernels.lazy import Activation, Affine, BatchNorm
from igcnas.kernels.switch import available
from igcnas.primitives import Convolution, Pool, Size


class _Norm(NamedTuple):
    module: nn.BatchNorm2d
    weight: torch.Tensor
    bias: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor
    weight_gradient: torch.Tensor
    bias_gradient: torch.Tensor
    momentum: float


class ChannelsLast:
    """See `igcnas.execution.operators.Operators`. `way`: for tests, the way of all convolutions that it can compute."""

    def __init__(self, batch: int, device: torch.device, dtype: torch.dtype, way: rule.Way | None = None) -> None:
        self.batch, self.device, self.dtype, self.way = batch, device, dtype, way
        self.machine = rule.Machine(kernels=available())
        self.folding = Folding(dtype, device)
        self._tracked: list[torch.Tensor] = []
        self._storages: list[Storage] = []
        self._training = False

    # Vectors, rooms and buffers are cells that a pass fills.

    def identity(self, channels: int) -> Order:
        return Order(tuple(range(channels)), self.device)

    def reorder(self, rows: Order, indices: tuple[int, ...]) -> Order:
        return Order(tuple(rows.rows[index] for index in indices), self.device)

    def in_order(self, rows: Order) -> bool:
        return rows.ordered

    def ones(self, channels: int) -> Cell:
        return Cell()

    zeros = sums = gradient_sums = means = ones

    def places(self, channels: int, size: Size) -> Cell:
        return Cell()

    def allocate(self, channels: int, size: Size) -> Storage:
        storage = Storage(None, None, (channels, *size))
        self._storages.append(storage)
        return storage

    def take_like(self, storage: Storage) -> Storage:
        return Storage(None, None, storage.key)

    def duplicate(self, storage: Storage) -> Storage:
        found = self.take_like(storage)
        found.array = storage.array  # tensors are replaced, never written to
        return found

    def release(self, storage: Storage) -> None:
        storage.users -= 1
        if storage.users == 0:
            storage.array = None

    def forget(self) -> None:
        """Let go of everything that a pass has left behind."""
        for storage in self._storages:
            storage.array = None

    def plain_gradient(self, storage: Storage) -> Gradient:
        return Gradient(storage, storage, None, None, None, False)

    def view(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    # A pass.

    def begin(self, training: bool) -> None:
        self._training = training
        self.folding.refresh()
        if training and self._tracked:
            torch._foreach_add_(self._tracked, 1)

    def finish(self) -> None:
        self.folding.finish()

    def load(self, images: torch.Tensor, storage: Storage) -> None:
        storage.array = images.to(dtype=self.dtype, memory_format=torch.channels_last)

    def leaf(self, means: Cell) -> torch.Tensor:
        held: torch.Tensor = means.held
        return held.detach()

    # Convolutions.

    def prepare(self, node: Convolve, wanted: tuple[int, ...] | None) -> None:
        value, out = node.use.value, node.out
        order: Order = value.rows
        if _is_depthwise(node):
            kernel: Kernel = (
                PlainKernel(node.weight, node.weight.value.dtype, self.folding)
                if order.ordered
                else MadeKernel(node.weight, (0,), order.rows, node.weight.value.dtype)
            )
            out.rows, out.ordered = order, order.ordered
            node.way = Depthwise(kernel)
            return
        shape = self._shape(node, permuted=not order.ordered, arranged=wanted is not None)
        ways = rule.POINTWISE if shape.kernel == 1 and node.stride == 1 else rule.SPATIAL
        forced = self.way is not None and self.way in ways
        way = self.way if forced and self.way is not None else rule.choose(shape, self.machine)
        node.way = self._computation(node, way, wanted)

    def _computation(self, node: Convolve, way: rule.Way, wanted: tuple[int, ...] | None) -> Computation:
        order: Order = node.use.value.rows
        product = node.kernel == 1 and node.stride == 1
        if way in (rule.Way.LIBRARY, rule.Way.TILED):
            kernel = self._dense(node, order, wanted)
            if way is rule.Way.TILED:
                return Own(kernel, 1, index=False)
            return Product(kernel, in_rows=True) if product else LibraryConvolution(kernel, 1, in_rows=True)
        plain = PlainKernel(node.weight, self.dtype, self.folding)
        if way is rule.Way.GROUPED:
            return Own(plain, node.groups, index=not order.ordered)
        if way is rule.Way.BATCHED:
            return Batched(plain, node.groups)
        return LibraryConvolution(plain, node.groups, in_rows=False)

    def _dense(self, node: Convolve, order: Order, wanted: tuple[int, ...] | None) -> Kernel:
        """The weight with groups and both orders folded in; the output is stored so that `wanted` is in order."""
        if wanted is not None:
            node.out.rows = Order(inverse(wanted), self.device)
            node.out.ordered = node.out.rows.ordered
        out: Order = node.out.rows
        if node.groups == 1 and order.ordered and out.ordered:
            return PlainKernel(node.weight, self.dtype, self.folding)
        if isinstance(node.weight, PlainWeight):
            return FoldedKernel(node.weight, node.groups, order.rows, out.rows, self.folding)
        return MadeKernel(node.weight, order.rows, out.rows, self.dtype)

    def _shape(self, node: Convolve, *, permuted: bool, arranged: bool) -> rule.Shape:
        value, out = node.use.value, node.out
        return rule.Shape(
            in_channels=value.channels,
            out_channels=out.channels,
            groups=node.groups,
            kernel=node.kernel,
            pixels=self.batch * out.size[0] * out.size[1],
            in_pixels=self.batch * value.size[0] * value.size[1],
            permuted=permuted,
            arranged=arranged,
            pending=value.code != COPY,
            itemsize=self.dtype.itemsize,
        )

    def cost(self, layer: Convolution, *, begins: bool, ends: bool) -> float:
        shape = rule.Shape(
            in_channels=layer.in_channels,
            out_channels=layer.out_channels,
            groups=layer.groups,
            kernel=layer.kernel,
            pixels=self.batch * layer.out_size[0] * layer.out_size[1],
            in_pixels=self.batch * layer.in_size[0] * layer.in_size[1],
            permuted=not begins and layer.groups > 1,  # as it is between complementary convolutions
            pending=begins,
            statistics=ends,
            itemsize=self.dtype.itemsize,
        )
        if _depthwise_layer(layer):
            return rule.seconds(rule.Way.DEPTHWISE, shape, self.machine)
        return rule.seconds(rule.choose(shape, self.machine), shape, self.machine)

    def convolve(self, node: Convolve, taken: bool) -> None:
        way: Computation = node.way
        y, moments = way.forward(node, statistics=taken, training=self._training)
        node.out.storage.array, node.out.sums.held = y, moments

    def convolve_backward(self, node: Convolve, gradient: Gradient, into: Storage | None) -> None:
        way: Computation = node.way
        da, sums = way.backward(node, gradient, into is not None)
        if into is not None and da is not None:
            if sums is None:
                self._deposit(node.use, into, da)
            else:
                into.array, node.use.value.gsums.held = da, sums
        node.out.storage.array = None  # nobody reads it any more

    def _deposit(self, use: Use, into: Storage, piece: torch.Tensor) -> None:
        """Add to the gradient of the used value; after the last, apply the activation's derivative and take sums."""
        if not use.first:
            piece = piece + into.array
        value = use.value
        if use.last and (value.normed or not value.plain):
            masked, value.gsums.held = norm.backward_reduce(
                piece, value.storage.array, tensors.affine(value), tensors.NAMES[value.code],
                centre=tensors.centre(value), store=not value.plain,
            )  # fmt: skip
            piece = piece if masked is None else masked
        into.array = piece

    # Norms.

    def norm(self, module: nn.BatchNorm2d) -> _Norm:
        assert module.weight.grad is not None
        assert module.bias.grad is not None
        assert module.running_mean is not None
        assert module.running_var is not None
        assert module.num_batches_tracked is not None
        assert module.momentum is not None
        self._tracked.append(module.num_batches_tracked)
        return _Norm(
            module, module.weight.detach(), module.bias.detach(), module.running_mean, module.running_var,
            module.weight.grad, module.bias.grad, module.momentum,
        )  # fmt: skip

    def normalise(self, norm_: _Norm, source: Value, out: Value) -> None:
        order: Order = out.rows
        weight, bias, mean, variance = norm_.weight, norm_.bias, norm_.mean, norm_.variance
        if not order.ordered:
            weight, bias, mean, variance = (
                vector.index_select(0, order.back) for vector in (weight, bias, mean, variance)
            )
        found = norm.finish(
            source.sums.held, weight, bias, epsilon=norm_.module.eps, running_mean=mean, running_variance=variance,
            momentum=norm_.momentum,
        )  # fmt: skip
        if not order.ordered:
            torch.index_select(mean, 0, order.index, out=norm_.mean)
            torch.index_select(variance, 0, order.index, out=norm_.variance)
        out.mean.held, out.inverse.held = found.mean, found.inverse
        out.scale.held, out.shift.held = found.affine

    def normalise_by_running(self, norm_: _Norm, out: Value) -> None:
        order: Order = out.rows
        scale, shift = norm.evaluation_affine(
            norm_.mean, norm_.variance, norm_.weight, norm_.bias, epsilon=norm_.module.eps
        )
        if not order.ordered:
            scale, shift = scale.index_select(0, order.back), shift.index_select(0, order.back)
        out.scale.held, out.shift.held = scale, shift

    def norm_backward(self, norm_: _Norm, out: Value, a: Cell, b: Cell, c: Cell) -> None:
        order: Order = out.rows
        batch_norm = BatchNorm(out.mean.held, out.inverse.held, Affine(out.scale.held, out.shift.held))
        count = out.size[0] * out.size[1] * len(out.storage.array)
        sums = out.gsums.held
        if order.ordered:
            found = norm.coefficients(
                sums, batch_norm, count, norm_.weight, centre=out.mean.held,
                weight_gradient=norm_.weight_gradient, bias_gradient=norm_.bias_gradient,
            )  # fmt: skip
        else:
            weight = norm_.weight.index_select(0, order.back)
            found = norm.coefficients(sums, batch_norm, count, weight, centre=out.mean.held)
            assert found.weight_gradient is not None
            assert found.bias_gradient is not None
            torch.index_select(found.weight_gradient, 0, order.index, out=norm_.weight_gradient)
            torch.index_select(found.bias_gradient, 0, order.index, out=norm_.bias_gradient)
        a.held, b.held, c.held = found.A, found.B, found.C

    # Between convolutions.

    def add(self, one: Value, other: Value, out: Value, taken: bool) -> None:
        x, pending, activation = self._operand(one)
        residual, residual_pending, residual_activation = self._operand(other)
        out.storage.array = norm.apply(
            x, pending, activation, residual=residual, residual_affine=residual_pending,
            residual_activation=residual_activation,
        )  # fmt: skip
        if taken:
            self.statistics(out)

    def _operand(self, value: Value) -> tuple[torch.Tensor, Affine | None, Activation]:
        """A tensor in order with what is pending on it."""
        if value.rows.ordered:
            return value.storage.array, tensors.affine(value), tensors.NAMES[value.code]
        return tensors.ordered(value), None, "none"

    def copy(self, value: Value, out: Value, start: int) -> None:
        found, channels = tensors.ordered(value), out.channels
        if value.channels == channels:
            out.storage.array = found
            return
        if start == 0:
            out.storage.array = tensors.empty(len(found), channels, out.size, self.dtype, self.device)
        out.storage.array[:, start : start + value.channels] = found

    def statistics(self, value: Value) -> None:
        value.sums.held = norm.statistics(value.storage.array)

    def moments(self, storage: Storage, value: Value) -> None:
        value.gsums.held = norm.backward_reduce(storage.array, value.storage.array, centre=tensors.centre(value))[1]

    def distribute(self, gradient: Gradient, start: int, use: Use, into: Storage, *, stored: bool = False) -> None:
        value = use.value
        piece = tensors.settled(gradient)
        if piece.shape[1] != value.channels:
            piece = piece[:, start : start + value.channels]
        if stored:
            self._deposit(use, into, tensors.last(piece))
        else:
            self._deposit_ordered(use, into, piece)

    def _deposit_ordered(self, use: Use, into: Storage, piece: torch.Tensor) -> None:
        order: Order = use.value.rows
        piece = tensors.last(piece) if order.ordered else tensors.select(piece, order.back)
        self._deposit(use, into, piece)

    def settled(self, gradient: Gradient, value: Value) -> Storage:
        if gradient.lazy:
            found = self.take_like(gradient.g)
            found.array = tensors.settled(gradient)
            self.release(gradient.g)  # somebody else may read it
            gradient.g, gradient.lazy = found, False
        return gradient.g

    def pool(self, layer: Pool, value: Value, out: Value, places: Cell) -> None:
        x = tensors.ordered(value)
        if layer.kind == "max":
            y, at = functional.max_pool2d(x, layer.kernel, layer.stride, layer.kernel // 2, return_indices=True)
        else:
            y, at = functional.avg_pool2d(x, layer.kernel, layer.stride, ceil_mode=True), None
        out.storage.array = tensors.last(y)
        places.held = (x, at) if self._training else None

    def pool_backward(self, layer: Pool, gradient: Storage, use: Use, places: Cell, into: Storage) -> None:
        (x, at), places.held = places.held, None
        kernel, stride, pad = [layer.kernel] * 2, [layer.stride] * 2, [layer.kernel // 2] * 2
        if at is not None:
            dx = torch.ops.aten.max_pool2d_with_indices_backward(
                gradient.array, x, kernel, stride, pad, [1, 1], False, at
            )
        else:
            dx = torch.ops.aten.avg_pool2d_backward(gradient.array, x, kernel, stride, [0, 0], True, True, None)
        self._deposit_ordered(use, into, dx)

    def sample(self, value: Value, stride: int, before: int, out: Value) -> None:
        x = tensors.ordered(value)
        y = tensors.empty(len(x), out.channels, out.size, self.dtype, self.device).zero_()
        y[:, before : before + value.channels] = x[:, :, ::stride, ::stride]
        out.storage.array = y

    def sample_backward(self, gradient: Storage, stride: int, before: int, use: Use, into: Storage) -> None:
        value, g = use.value, gradient.array
        dx = tensors.empty(len(g), value.channels, value.size, self.dtype, self.device).zero_()
        dx[:, :, ::stride, ::stride] = g[:, before : before + value.channels]
        self._deposit_ordered(use, into, dx)

    def mean(self, value: Value, held: Cell) -> None:
        x = tensors.ordered(value)
        held.held = x.mean((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))

    def mean_backward(self, gradient: torch.Tensor | None, use: Use, into: Storage) -> None:
        value = use.value
        height, width = value.size
        dx = tensors.empty(len(value.storage.array), value.channels, value.size, self.dtype, self.device)
        if gradient is None:
            dx.zero_()
        else:
            dx.copy_((gradient / (height * width))[:, :, None, None].expand_as(dx))
        self._deposit_ordered(use, into, dx)

    def generate(self, generator: nn.Sequential, context: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = generator(context)
        return found

    def gate(self, value: Value, gates: torch.Tensor, out: Value) -> None:
        x = tensors.ordered(value).permute(0, 2, 3, 1).unsqueeze(3)
        heads = gates.view(len(x), 1, 1, -1, value.channels).to(x.dtype)
        out.storage.array = (x * heads).flatten(3).permute(0, 3, 1, 2)

    def gate_backward(self, gradient: Storage, gates: torch.Tensor, use: Use, into: Storage | None) -> torch.Tensor:
        value = use.value
        x = tensors.ordered(value).permute(0, 2, 3, 1).unsqueeze(3)
        heads = gates.view(len(x), 1, 1, -1, value.channels).to(x.dtype)
        g = gradient.array.permute(0, 2, 3, 1).unflatten(3, (-1, value.channels))
        if into is not None:
            self._deposit_ordered(use, into, (g * heads).sum(3).permute(0, 3, 1, 2))
        dgates: torch.Tensor = (g * x).sum((1, 2), dtype=gates.dtype).flatten(1)
        return dgates


def _is_depthwise(node: Convolve) -> bool:
    """Whether the depthwise kernels do this one."""
    outs, ins, kernel, _ = node.weight.value.shape
    return kernel in KERNELS and node.stride in STRIDES and ins == 1 and outs == node.groups == node.use.value.channels


def _depthwise_layer(layer: Convolution) -> bool:
    same = layer.groups == layer.in_channels == layer.out_channels
    return same and layer.kernel in KERNELS and layer.stride in STRIDES
