"""The operators of igcnas as `benchmarks.operators` times them: the fast engine's on a CPU, the Triton kernels on CUDA.

Both fuse: what is pending on x is applied where it is read, and statistics come from the epilogue. A normed case is
therefore one link of a chain: the statistics of x are there (the kernel before has taken them), those of y are taken,
and on CUDA the gradient of y is read with an affine map pending on it (here the identity).
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.speed.operations import EPSILON, Inputs, Tensors, permutation
from igcnas.network import build
from igcnas.plan import Plan
from igcnas.primitives import Activation, Convolution, Layer, Norm, Permutation, Sequence


def layers(given: Inputs) -> tuple[Layer, ...]:
    """A case as the layers of a plan."""
    case = given.case
    size = (case.size, case.size)
    c, o = case.in_channels, case.out_channels
    before: list[Layer] = []
    if case.setting == "normed":
        before = [Norm("norm", c, size), Activation("act", "relu", c, size)]
    if case.setting == "permuted":
        before = [Permutation("permute", c, case.shuffles)]
    if case.kind == "block":
        M = c // case.groups
        return (
            *before,
            Convolution("conv", c, c, 3, 1, case.groups, size),
            Permutation("between", c, case.groups),
            Convolution("second", c, c, 1, 1, M, size),
            Permutation("behind", c, M),
        )
    kernel = 1 if case.kind == "pointwise" else 3
    return (*before, Convolution("conv", c, o, kernel, case.stride, case.groups, size))


class FastSteps:
    """The steps of the fast engine for these layers, run by hand."""

    def __init__(self, given: Inputs) -> None:
        from igcnas.execution.cpu.operators import CpuOperators
        from igcnas.execution.reading import Reading
        from igcnas.execution.values import Value

        case = given.case
        parts = layers(given)
        self.given = given
        self.module = build(Plan(Sequence("", parts), (case.in_channels, case.size, case.size))).train()
        self.convolutions = [self.module.get_submodule(layer.name) for layer in parts if isinstance(layer, Convolution)]
        with torch.no_grad():
            for convolution, weight in zip(self.convolutions, given.weights, strict=True):
                convolution.weight.copy_(weight)
            if case.setting == "normed":
                self.module.get_submodule("norm").weight.copy_(given.scale)
                self.module.get_submodule("norm").bias.copy_(given.shift)
        for parameter in self.module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.ops: Any = CpuOperators(case.batch)
        size = (case.size, case.size)
        self.x: Any = Value(self.ops, case.in_channels, size, self.ops.allocate(case.in_channels, size))
        self.ops.load(given.x, self.x.storage)
        reading: Any = Reading(self.ops, self.module)
        self.y: Any = reading.sequence(parts, self.x)
        self.nodes = reading.nodes
        if case.setting == "normed":
            self.ops.statistics(self.x)  # the kernel before has taken them
            self.y.origin.statistics = True
        stored = torch.empty_like(given.gradient)
        stored[:, torch.from_numpy(self.y.rows).long()] = given.gradient
        self.gradient: Any = self.ops.allocate(case.out_channels, (case.out_size, case.out_size))
        self.ops.load(stored, self.gradient)

    def forward(self) -> None:
        """All steps."""
        for node in self.nodes:
            node.forward(True)

    def both(self) -> None:
        """Forward, then all steps backwards."""
        if self.x.gradient is not None:
            self.ops.release(self.x.gradient.g)
            self.x.gradient = None
        self.forward()
        self.gradient.users += 1  # the benchmark keeps it
        self.y.gradient = self.ops.plain_gradient(self.gradient)
        for node in reversed(self.nodes):
            node.backward()

    def results(self) -> Tensors:
        """In the plain layout; what is pending on the gradient of x is applied here."""
        for parameter in self.module.parameters():
            parameter.grad.zero_()
        self.both()
        found = self.x.gradient
        x = torch.from_numpy(found.g.array)
        if found.lazy:
            a, b, c = (torch.from_numpy(v)[:, None, None, None] for v in (found.a, found.b, found.c))
            x = a * x + b * torch.from_numpy(found.y.array) + c
        y = torch.from_numpy(self.y.storage.array)[torch.from_numpy(self.y.rows).long()]
        weights = [convolution.weight.grad.clone() for convolution in self.convolutions]
        return (y.permute(3, 0, 1, 2).clone(), x.permute(3, 0, 1, 2).clone(), *weights)


class Kernels:
    """The Triton kernels of pointwise and depthwise convolution, called as the fast engine calls them."""

    def __init__(self, given: Inputs) -> None:
        from igcnas.kernels import depthwise, norm, pointwise
        from igcnas.kernels.lazy import GradientAffine

        case, device = given.case, given.device
        self.given, self.norm = given, norm
        self.kernel: Any = pointwise if case.kind == "pointwise" else depthwise
        self.x = given.x.contiguous(memory_format=torch.channels_last)
        self.gradient = given.gradient.contiguous(memory_format=torch.channels_last)
        self.weight = given.weights[0]
        pointwise_case = case.kind == "pointwise"
        self.last = (case.groups,) if pointwise_case else (case.stride,)
        self.index: dict[str, Any] = {}
        if case.setting == "permuted":
            self.index = {"index": permutation(case, device).int()}
        self.size: tuple[Any, ...] = () if pointwise_case else ((case.size, case.size),)
        self.kernel_size: tuple[int, ...] = () if pointwise_case else (3,)
        self.seen: dict[str, Any] = {}
        self.pending: dict[str, Any] = {}
        self.normed = case.setting == "normed"
        self.count = case.batch * case.size**2
        if self.normed:
            moments = norm.statistics(self.x)
            self.batch_norm = norm.finish(moments, given.scale, given.shift, epsilon=EPSILON)
            self.seen = {"affine": self.batch_norm.affine, "activation": "relu"}
            one, zero = torch.ones(case.out_channels, device=device), torch.zeros(case.out_channels, device=device)
            self.identity = (GradientAffine, one, zero)

    def forward(self) -> torch.Tensor:
        """y, and if normed the affine of its own norm."""
        y, moments = self.kernel.forward(
            self.x, self.weight, *self.last, **self.index, **self.seen, statistics=self.normed
        )
        if moments is not None:
            self.norm.finish(moments, epsilon=EPSILON)
        found: torch.Tensor = y
        return found

    def both(self) -> tuple[Any, ...]:
        """y, g', coefficients of the norm's gradient, gradient of the weights."""
        y = self.forward()
        if not self.normed:
            into, _ = self.kernel.input_grad(self.gradient, self.weight, *self.last, *self.size, **self.index)
            weight = self.kernel.weight_grad(self.x, self.gradient, *self.last, *self.kernel_size, **self.index)
            return y, into, None, weight
        make, one, zero = self.identity
        pending = make(y, one, zero, zero)
        mean = self.batch_norm.mean
        into, sums = self.kernel.input_grad(
            self.gradient,
            self.weight,
            *self.last,
            *self.size,
            gradient_affine=pending,
            x=self.x,
            **self.seen,
            centre=mean,
        )
        back = self.norm.coefficients(sums, self.batch_norm, self.count, self.given.scale, centre=mean)
        weight = self.kernel.weight_grad(
            self.x, self.gradient, *self.last, *self.kernel_size, gradient_affine=pending, **self.seen
        )
        return y, into, back, weight

    def results(self) -> Tensors:
        """In the plain layout; the norm's gradient, which the next kernel would read lazily, is made here."""
        y, into, back, weight = self.both()
        if back is not None:
            a, b, c = (v[None, :, None, None] for v in (back.A, back.B, back.C))
            into = a * into.float() + b * self.x.float() + c
        return y, into, weight.view_as(self.given.weights[0])
