"""The operators on a CPU, in one thread: which kernel does what, and with which arguments."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import nn

from igcnas.execution.cpu import convolution, depthwise, depthwise_gradients, elementwise, generators, norm
from igcnas.execution.cpu.buffers import Buffers
from igcnas.execution.cpu.tiles import PIECE
from igcnas.execution.values import Gradient, Storage, Use, Value
from igcnas.execution.weights import Convolved
from igcnas.network.primitives import Pool

# Tuples that kernels take: see convolution.py and norm.py.
_Arguments: TypeAlias = tuple[Any, ...]


class _Norm(NamedTuple):
    parameters: _Arguments
    running: _Arguments
    gradients: _Arguments


class CpuOperators(Buffers):
    """See `igcnas.execution.operators.Operators`."""

    def __init__(self, batch: int) -> None:
        super().__init__(batch)
        self._acc = np.zeros((4, PIECE), np.float32)
        self._ring = np.zeros(1, np.float32)
        self._line = np.zeros(1, np.float32)
        self._near, self._piece = np.zeros(batch, np.float32), np.zeros(batch, np.float32)

    def norm(self, module: nn.BatchNorm2d) -> _Norm:
        assert module.weight.grad is not None
        assert module.bias.grad is not None
        assert module.running_mean is not None
        assert module.running_var is not None
        assert module.num_batches_tracked is not None
        assert module.momentum is not None
        tracked = module.num_batches_tracked.view(1).numpy()
        return _Norm(
            parameters=(module.weight.detach().numpy(), module.bias.detach().numpy(), module.eps),
            running=(module.running_mean.numpy(), module.running_var.numpy(), tracked, module.momentum),
            gradients=(module.weight.grad.numpy(), module.bias.grad.numpy()),
        )

    def _scratch(self, numbers: int) -> np.ndarray:
        if len(self._ring) < numbers:
            self._ring = np.zeros(numbers, np.float32)
        return self._ring

    def convolve(self, convolved: Convolved, taken: bool) -> None:
        x, out, weight = convolved.use.value, convolved.out, convolved.weight.value
        ins, kernel, stride, groups = weight.shape[1], convolved.kernel, convolved.stride, convolved.groups
        if kernel == 1 and stride == 1:
            ring = self._scratch(ins * PIECE)
            flat = weight.reshape(len(weight), -1)
            made = (out.storage.flat, out.sums, taken)
            convolution.pointwise_forward(_seen(x, x.storage.flat), flat, groups, made, ring, self._acc)
            return
        ring = self._scratch(kernel * ins * (x.size[1] + 2 * kernel + stride) * self.batch)
        value, made = _seen(x, x.storage.array), (out.storage.array, out.sums, taken)
        if _is_depthwise(convolved):
            depthwise.forward(value, weight, stride, made, ring)
        else:
            convolution.spatial_forward(value, weight, stride, groups, made, ring, self._acc)

    def convolve_backward(self, convolved: Convolved, gradient: Gradient, into: Storage | None) -> None:
        use = convolved.use
        x, weight, dw = use.value, convolved.weight.value, convolved.weight.gradient
        outs, ins, kernel, stride = len(weight), weight.shape[1], convolved.kernel, convolved.stride
        groups, to = convolved.groups, x.storage if into is None else into
        coefficients = self._coefficients(gradient, outs)
        if kernel == 1 and stride == 1:
            slope, target = (gradient.g.flat, gradient.y.flat, *coefficients), _target(use, to.flat)
            weight, dw = weight.reshape(outs, -1), dw.reshape(outs, -1)
            ring = self._scratch((ins + outs // groups) * PIECE)
            value = _seen(x, x.storage.flat)
            convolution.pointwise_backward(value, weight, groups, slope, target, dw, into is not None, ring, self._acc)
            return
        value, slope = _seen(x, x.storage.array), (gradient.g.array, gradient.y.array, *coefficients)
        target = _target(use, to.array)
        widest = x.size[1] + 2 * kernel + stride
        ring = self._scratch((kernel + 1) * max(ins, outs // groups) * widest * self.batch)
        if _is_depthwise(convolved) and stride == 1 and into is not None:
            depthwise_gradients.backward(value, weight, slope, target, dw, ring, self._acc)
            return
        needed = max(outs // groups * convolved.out.size[1], (ins + 1) * x.size[1]) * self.batch
        if len(self._line) < needed:
            self._line = np.zeros(needed, np.float32)
        if _is_depthwise(convolved) and stride == 2 and into is not None:
            ring = self._scratch((convolved.out.size[0] + 1) * (convolved.out.size[1] + 1) * self.batch)
            depthwise_gradients.backward_strided(value, weight, slope, target, dw, ring, self._line)
            return
        convolution.spatial_weight_grad(value, stride, groups, slope, dw, ring, self._line)
        if into is not None:
            convolution.spatial_input_grad(value, weight, stride, groups, slope, target, ring, self._line, self._acc)

    def _coefficients(self, gradient: Gradient, channels: int) -> _Arguments:
        """a, b, c and lazy; where a gradient is not, coefficients that nobody reads."""
        if gradient.lazy:
            return gradient.a, gradient.b, gradient.c, True
        if len(self.none) < channels:
            self.none = np.zeros(channels, np.float32)
        return self.none, self.none, self.none, False

    def normalise(self, norm_: _Norm, source: Value, out: Value) -> None:
        count = source.size[0] * source.size[1] * self.batch
        affine = (out.scale, out.shift, out.mean, out.inverse)
        norm.training(source.sums, count, source.rows, norm_.parameters, norm_.running, affine)

    def normalise_by_running(self, norm_: _Norm, out: Value) -> None:
        norm.evaluating(out.rows, norm_.parameters, norm_.running, out.scale, out.shift)

    def norm_backward(self, norm_: _Norm, out: Value, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
        count = out.size[0] * out.size[1] * self.batch
        weight, normed = norm_.parameters[0], (out.mean, out.inverse)
        norm.backward(out.gsums, count, out.rows, weight, normed, norm_.gradients, (a, b, c))

    def add(self, one: Value, other: Value, out: Value, taken: bool) -> None:
        made = (out.storage.flat, out.sums, taken)
        elementwise.add(_seen(one, one.storage.flat), _seen(other, other.storage.flat), made, self._acc)

    def copy(self, value: Value, out: Value, start: int) -> None:
        elementwise.copy(_seen(value, value.storage.flat), out.storage.flat, start)

    def statistics(self, value: Value) -> None:
        elementwise.statistics(value.storage.flat, value.sums)

    def moments(self, storage: Storage, value: Value) -> None:
        elementwise.moments(storage.flat, value.storage.flat, value.rows, value.mean, value.gsums)

    def distribute(self, gradient: Gradient, start: int, use: Use, into: Storage, *, stored: bool = False) -> None:
        x = use.value
        flat = (gradient.g.flat, gradient.y.flat, *self._coefficients(gradient, len(gradient.g.flat)))
        value = _seen(x, x.storage.flat)
        if stored:
            value = (value[0], self.identity(len(x.rows)), *value[2:])
        elementwise.distribute(flat, start, value, _target(use, into.flat), self._acc)

    def settled(self, gradient: Gradient, value: Value) -> Storage:
        if gradient.lazy:
            into = gradient.g if gradient.g.users == 1 else self.take_like(gradient.g)  # others still read it
            np.multiply(gradient.g.flat, gradient.a[:, None], out=into.flat)
            into.flat += gradient.b[:, None] * gradient.y.flat + gradient.c[:, None]
            if into is not gradient.g:
                self.release(gradient.g)
            gradient.g, gradient.lazy = into, False
        return gradient.g

    def pool(self, layer: Pool, value: Value, out: Value, places: np.ndarray) -> None:
        window, largest = _window(layer)
        seen = _seen(value, value.storage.array)
        elementwise.pool_forward(seen, window, largest, out.storage.array, places, self._near)

    def pool_backward(self, layer: Pool, gradient: Storage, use: Use, places: np.ndarray, into: Storage) -> None:
        window, largest = _window(layer)
        whole = self.take_like(use.value.storage)
        elementwise.pool_backward(gradient.array, window, largest, places, whole.array)
        self.distribute(self.plain_gradient(whole), 0, use, into)
        self.release(whole)

    def sample(self, value: Value, stride: int, before: int, out: Value) -> None:
        elementwise.sample_forward(_seen(value, value.storage.array), stride, before, out.storage.array)

    def sample_backward(self, gradient: Storage, stride: int, before: int, use: Use, into: Storage) -> None:
        whole = self.take_like(use.value.storage)
        elementwise.sample_backward(gradient.array, stride, before, use.value.channels, whole.array)
        self.distribute(self.plain_gradient(whole), 0, use, into)
        self.release(whole)

    def _pixels(self, storage: Storage) -> np.ndarray:
        pixels: np.ndarray = storage.array.reshape(len(storage.array), -1, self.batch)
        return pixels

    def mean(self, value: Value, held: np.ndarray) -> None:
        elementwise.mean_forward(_seen(value, self._pixels(value.storage)), held, self._acc)

    def mean_backward(self, gradient: torch.Tensor | None, use: Use, into: Storage) -> None:
        x = use.value
        if gradient is None:
            gradient = torch.zeros(self.batch, x.channels)
        value, target = _seen(x, self._pixels(x.storage)), _target(use, self._pixels(into))
        elementwise.mean_backward(gradient.t().contiguous().numpy(), value, target, self._acc)

    def generate(self, generator: nn.Sequential, context: torch.Tensor) -> torch.Tensor:
        return generators.generate(generator, context)

    def gate(self, value: Value, gates: torch.Tensor, out: Value) -> None:
        seen = _seen(value, self._pixels(value.storage))
        elementwise.gate_forward(seen, gates.t().contiguous().numpy(), self._pixels(out.storage))

    def gate_backward(self, gradient: Storage, gates: torch.Tensor, use: Use, into: Storage | None) -> torch.Tensor:
        x = use.value
        unwanted = self.take_like(x.storage) if into is None else None
        to = into or unwanted
        assert to is not None
        dgates = np.empty((gates.shape[1], self.batch), np.float32)
        value, target = _seen(x, self._pixels(x.storage)), _target(use, self._pixels(to))
        rows = gates.t().contiguous().numpy()
        elementwise.gate_backward(self._pixels(gradient), rows, value, dgates, target, self._near, self._piece)
        if unwanted is not None:
            self.release(unwanted)
        return torch.from_numpy(dgates).t()


def _is_depthwise(convolved: Convolved) -> bool:
    """Whether the depthwise kernels do this one."""
    outs, ins, kernel, _ = convolved.weight.value.shape
    return bool(kernel == 3 and ins == 1 and outs == convolved.groups)


def _seen(value: Value, x: np.ndarray) -> _Arguments:
    """A value whose storage is read as x."""
    return x, value.rows, value.scale, value.shift, value.code, value.mean


def _target(use: Use, dx: np.ndarray) -> _Arguments:
    """Where a gradient is added, which is stored as dx."""
    return dx, use.first, use.last, use.value.gsums


def _window(layer: Pool) -> tuple[tuple[int, int, int], bool]:
    """Kernel, stride and padding, and whether the largest is taken."""
    largest = layer.kind == "max"
    return (layer.kernel, layer.stride, layer.kernel // 2 if largest else 0), largest
