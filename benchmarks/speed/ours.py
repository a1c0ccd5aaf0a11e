"""The operators of igcnas as `benchmarks.operators` times them: those of the fast engine.

They fuse: what is pending on x is applied where it is read, and statistics come from the epilogue. A normed case is
therefore one link of a chain: the statistics of x are there (the kernel before has taken them), those of y are taken.
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.speed.operations import Inputs, Tensors
from igcnas.modules.build import build
from igcnas.network.plan import Plan
from igcnas.network.primitives import Activation, Convolution, Layer, Norm, Permutation, Sequence


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
