"""The operators on a CPU, in one thread: which kernel does what, and with which arguments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from igcnas.execution.cpu import convolution, depthwise, depthwise_gradients, elementwise, generators, norm
from igcnas.execution.cpu.buffers import Buffers
from igcnas.execution.cpu.tiles import PIECE
from igcnas.execution.values import Gradient, Storage, Use, Value
from igcnas.execution.weights import Convolved
from igcnas.network.primitives import Pool


class _Norm(NamedTuple):
    weight: np.ndarray
    bias: np.ndarray
    running_mean: np.ndarray
    running_var: np.ndarray
    tracked: np.ndarray
    dweight: np.ndarray
    dbias: np.ndarray
    momentum: float
    epsilon: float


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
        return _Norm(
            module.weight.detach().numpy(),
            module.bias.detach().numpy(),
            module.running_mean.numpy(),
            module.running_var.numpy(),
            module.num_batches_tracked.view(1).numpy(),
            module.weight.grad.numpy(),
            module.bias.grad.numpy(),
            module.momentum,
            module.eps,
        )

    def _scratch(self, numbers: int) -> np.ndarray:
        if len(self._ring) < numbers:
            self._ring = np.zeros(numbers, np.float32)
        return self._ring

    def convolve(self, convolved: Convolved, taken: bool) -> None:
        x, out, weight = convolved.use.value, convolved.out, convolved.weight.value
        ins, kernel, stride = weight.shape[1], convolved.kernel, convolved.stride
        seen = (x.rows, x.scale, x.shift, x.code)
        if kernel == 1 and stride == 1:
            ring = self._scratch(ins * PIECE)
            flat = weight.reshape(len(weight), -1)
            convolution.pointwise_forward(
                x.storage.flat, *seen, flat, convolved.groups, out.storage.flat, out.sums, taken, ring, self._acc
            )
            return
        ring = self._scratch(kernel * ins * (x.size[1] + 2 * kernel + stride) * self.batch)
        if _is_depthwise(convolved):
            depthwise.forward(x.storage.array, *seen, weight, stride, out.storage.array, out.sums, taken, ring)
            return
        convolution.spatial_forward(
            x.storage.array,
            *seen,
            weight,
            stride,
            convolved.groups,
            out.storage.array,
            out.sums,
            taken,
            ring,
            self._acc,
        )

    def convolve_backward(self, convolved: Convolved, gradient: Gradient, into: Storage | None) -> None:
        use = convolved.use
        x, weight, dw = use.value, convolved.weight.value, convolved.weight.gradient
        outs, ins, kernel, stride, groups = (
            len(weight),
            weight.shape[1],
            convolved.kernel,
            convolved.stride,
            convolved.groups,
        )
        seen = (x.rows, x.scale, x.shift, x.code)
        coefficients = (gradient.a, gradient.b, gradient.c, gradient.lazy) if gradient.lazy else self._plain(outs)
        order = (use.first, use.last, x.gsums)
        target = x.storage if into is None else into
        if kernel == 1 and stride == 1:
            convolution.pointwise_backward(
                x.storage.flat,
                *seen,
                x.mean,
                weight.reshape(outs, -1),
                groups,
                gradient.g.flat,
                gradient.y.flat,
                *coefficients,
                target.flat,
                *order,
                dw.reshape(outs, -1),
                into is not None,
                self._scratch((ins + outs // groups) * PIECE),
                self._acc,
            )
            return
        widest = x.size[1] + 2 * kernel + stride
        ring = self._scratch((kernel + 1) * max(ins, outs // groups) * widest * self.batch)
        slope = (gradient.g.array, gradient.y.array, *coefficients)
        if _is_depthwise(convolved) and stride == 1 and into is not None:
            depthwise_gradients.backward(
                x.storage.array, *seen, x.mean, weight, *slope, target.array, *order, dw, ring, self._acc
            )
            return
        needed = max(outs // groups * convolved.out.size[1], (ins + 1) * x.size[1]) * self.batch
        if len(self._line) < needed:
            self._line = np.zeros(needed, np.float32)
        if _is_depthwise(convolved) and stride == 2 and into is not None:
            ring = self._scratch((convolved.out.size[0] + 1) * (convolved.out.size[1] + 1) * self.batch)
            depthwise_gradients.backward_strided(
                x.storage.array, *seen, x.mean, weight, *slope, target.array, *order, dw, ring, self._line
            )
            return
        convolution.spatial_weight_grad(x.storage.array, *seen, stride, groups, *slope, dw, ring, self._line)
        if into is not None:
            convolution.spatial_input_grad(
                x.storage.array,
                *seen,
                x.mean,
                weight,
                stride,
                groups,
                *slope,
                target.array,
                *order,
                ring,
                self._line,
                self._acc,
            )

    def _plain(self, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        """Coefficients that nobody reads: the gradient is not lazy."""
        if len(self.none) < channels:
            self.none = np.zeros(channels, np.float32)
        return self.none, self.none, self.none, False

    def normalise(self, norm_: _Norm, source: Value, out: Value) -> None:
        count = source.size[0] * source.size[1] * self.batch
        n = norm_
        norm.training(
            source.sums,
            count,
            source.rows,
            n.weight,
            n.bias,
            n.running_mean,
            n.running_var,
            n.tracked,
            n.momentum,
            n.epsilon,
            out.scale,
            out.shift,
            out.mean,
            out.inverse,
        )

    def normalise_by_running(self, norm_: _Norm, out: Value) -> None:
        n = norm_
        norm.evaluating(out.rows, n.weight, n.bias, n.running_mean, n.running_var, n.epsilon, out.scale, out.shift)

    def norm_backward(self, norm_: _Norm, out: Value, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
        count = out.size[0] * out.size[1] * self.batch
        n = norm_
        norm.backward(out.gsums, count, out.rows, n.weight, out.mean, out.inverse, n.dweight, n.dbias, a, b, c)

    def add(self, one: Value, other: Value, out: Value, taken: bool) -> None:
        elementwise.add(
            one.storage.flat,
            one.rows,
            one.scale,
            one.shift,
            one.code,
            other.storage.flat,
            other.rows,
            other.scale,
            other.shift,
            other.code,
            out.storage.flat,
            out.sums,
            taken,
            self._acc,
        )

    def copy(self, value: Value, out: Value, start: int) -> None:
        elementwise.copy(value.storage.flat, value.rows, value.scale, value.shift, value.code, out.storage.flat, start)

    def statistics(self, value: Value) -> None:
        elementwise.statistics(value.storage.flat, value.sums)

    def moments(self, storage: Storage, value: Value) -> None:
        elementwise.moments(storage.flat, value.storage.flat, value.rows, value.mean, value.gsums)

    def distribute(self, gradient: Gradient, start: int, use: Use, into: Storage, *, stored: bool = False) -> None:
        x = use.value
        rows = self.identity(len(x.rows)) if stored else x.rows
        channels = len(gradient.g.flat)
        coefficients = (gradient.a, gradient.b, gradient.c, True) if gradient.lazy else self._plain(channels)
        elementwise.distribute(
            gradient.g.flat,
            gradient.y.flat,
            *coefficients,
            start,
            x.storage.flat,
            rows,
            x.scale,
            x.shift,
            x.code,
            x.mean,
            into.flat,
            use.first,
            use.last,
            x.gsums,
            self._acc,
        )

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
        largest = layer.kind == "max"
        elementwise.pool_forward(
            value.storage.array,
            value.rows,
            value.scale,
            value.shift,
            value.code,
            layer.kernel,
            layer.stride,
            layer.kernel // 2 if largest else 0,
            largest,
            out.storage.array,
            places,
            self._near,
        )

    def pool_backward(self, layer: Pool, gradient: Storage, use: Use, places: np.ndarray, into: Storage) -> None:
        largest = layer.kind == "max"
        whole = self.take_like(use.value.storage)
        pad = layer.kernel // 2 if largest else 0
        elementwise.pool_backward(gradient.array, layer.kernel, layer.stride, pad, largest, places, whole.array)
        self.distribute(self.plain_gradient(whole), 0, use, into)
        self.release(whole)

    def sample(self, value: Value, stride: int, before: int, out: Value) -> None:
        elementwise.sample_forward(
            value.storage.array, value.rows, value.scale, value.shift, value.code, stride, before, out.storage.array
        )

    def sample_backward(self, gradient: Storage, stride: int, before: int, use: Use, into: Storage) -> None:
        whole = self.take_like(use.value.storage)
        elementwise.sample_backward(gradient.array, stride, before, use.value.channels, whole.array)
        self.distribute(self.plain_gradient(whole), 0, use, into)
        self.release(whole)

    def _pixels(self, storage: Storage) -> np.ndarray:
        pixels: np.ndarray = storage.array.reshape(len(storage.array), -1, self.batch)
        return pixels

    def mean(self, value: Value, held: np.ndarray) -> None:
        x = self._pixels(value.storage)
        elementwise.mean_forward(x, value.rows, value.scale, value.shift, value.code, held, self._acc)

    def mean_backward(self, gradient: torch.Tensor | None, use: Use, into: Storage) -> None:
        x = use.value
        if gradient is None:
            gradient = torch.zeros(self.batch, x.channels)
        elementwise.mean_backward(
            gradient.t().contiguous().numpy(),
            self._pixels(x.storage),
            x.rows,
            x.scale,
            x.shift,
            x.code,
            x.mean,
            self._pixels(into),
            use.first,
            use.last,
            x.gsums,
            self._acc,
        )

    def generate(self, generator: nn.Sequential, context: torch.Tensor) -> torch.Tensor:
        return generators.generate(generator, context)

    def gate(self, value: Value, gates: torch.Tensor, out: Value) -> None:
        elementwise.gate_forward(
            self._pixels(value.storage),
            value.rows,
            value.scale,
            value.shift,
            value.code,
            gates.t().contiguous().numpy(),
            self._pixels(out.storage),
        )

    def gate_backward(self, gradient: Storage, gates: torch.Tensor, use: Use, into: Storage | None) -> torch.Tensor:
        x = use.value
        unwanted = self.take_like(x.storage) if into is None else None
        target = into or unwanted
        assert target is not None
        dgates = np.empty((gates.shape[1], self.batch), np.float32)
        elementwise.gate_backward(
            self._pixels(gradient),
            gates.t().contiguous().numpy(),
            self._pixels(x.storage),
            x.rows,
            x.scale,
            x.shift,
            x.code,
            x.mean,
            dgates,
            self._pixels(target),
            use.first,
            use.last,
            x.gsums,
            self._near,
            self._piece,
        )
        if unwanted is not None:
            self.release(unwanted)
        return torch.from_numpy(dgates).t()


def _is_depthwise(convolved: Convolved) -> bool:
    """Whether the depthwise kernels do this one."""
    outs, ins, kernel, _ = convolved.weight.value.shape
    return bool(kernel == 3 and ins == 1 and outs == convolved.groups)
