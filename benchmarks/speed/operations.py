"""One operator made ready to be timed: its inputs, forward, forward with all gradients, and its error to float64.

What is computed, whatever the way: y = conv(x); permuted, conv(x[:, p]); normed, conv(relu(batch_norm(x))) with the
statistics of the batch. The gradients are those of x, of the weights, and, if normed, of scale and shift. Ways that
fuse take the statistics of x from the kernel that made x and give those of y: the same work for each layer of a chain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional

from benchmarks.speed.shapes import Case
from igcnas.network.primitives import Permutation

EPSILON = 1e-5
Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """x (B, C, H, W), the gradient of y, weights, scale and shift, in float32."""

    case: Case
    x: torch.Tensor
    gradient: torch.Tensor
    weights: Tensors
    scale: torch.Tensor
    shift: torch.Tensor


class Operation(Protocol):
    """An operator on given inputs. forward keeps nothing for a backward pass that will not come."""

    def forward(self) -> object:
        """The output, in whatever layout."""
        ...

    def both(self) -> object:
        """The output and all gradients."""
        ...

    def results(self) -> Tensors:
        """y, the gradient of x (both (B, C, H, W)) and of each of the weights, from `both`, in the plain layout."""
        ...


Make = Callable[[Inputs], Operation]


def inputs(case: Case, *, seed: int = 0) -> Inputs:
    """Random ones."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(shape, generator=generator)

    c, o = case.in_channels, case.out_channels
    if case.kind == "block":
        m = c // case.groups
        weights: Tensors = (
            normal(o, m, 3, 3, scale=(9 * m) ** -0.5),
            normal(o, case.groups, 1, 1, scale=case.groups**-0.5),
        )
    else:
        kernel = 1 if case.kind == "pointwise" else 3
        fan = c // case.groups * kernel**2
        weights = (normal(o, c // case.groups, kernel, kernel, scale=fan**-0.5),)
    return Inputs(
        case=case,
        x=normal(case.batch, c, case.size, case.size),
        gradient=normal(case.batch, o, case.out_size, case.out_size),
        weights=weights,
        scale=1 + 0.2 * normal(c),
        shift=0.2 * normal(c),
    )


def permutation(case: Case) -> torch.Tensor:
    """The indices of a permuted case: input i of the convolution is channel indices[i]."""
    return torch.tensor(Permutation("", case.in_channels, case.shuffles).indices)


def block_permutations(case: Case) -> Tensors:
    """Those of an IGC V1 block: between the two convolutions, and behind the second."""
    c = case.in_channels
    return tuple(torch.tensor(Permutation("", c, groups).indices) for groups in (case.groups, c // case.groups))


def plain(given: Inputs, x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """The definition, in the plainest operators, for any type: what every way must equal."""
    case = given.case
    if case.setting == "normed":
        x = functional.relu(functional.batch_norm(x, None, None, scale, shift, training=True, eps=EPSILON))
    if case.setting == "permuted":
        x = x.index_select(1, permutation(case))
    if case.kind == "block":
        between, behind = block_permutations(case)
        middle = functional.conv2d(x, weights[0], padding=1, groups=case.groups).index_select(1, between)
        out = functional.conv2d(middle, weights[1], groups=case.in_channels // case.groups)
        return out.index_select(1, behind)
    kernel = weights[0].shape[-1]
    return functional.conv2d(x, weights[0], stride=case.stride, padding=kernel // 2, groups=case.groups)


def reference(given: Inputs) -> Tensors:
    """Results of the definition in float64."""
    leaves = [t.double().requires_grad_() for t in (given.x, *given.weights, given.scale, given.shift)]
    x, *weights, scale, shift = leaves
    y = plain(given, x, tuple(weights), scale, shift)
    gradients = torch.autograd.grad(y, [x, *weights], given.gradient.double())
    return (y.detach(), *gradients)


def errors(found: Tensors, expected: Tensors) -> float:
    """The largest of the relative errors, in the Euclidean norm, of the output and of each gradient."""
    return max(float((a.double() - b).norm() / b.norm().clamp_min(1e-30)) for a, b in zip(found, expected, strict=True))


class Differentiated:
    """An operation that autograd differentiates: `function` of (x, weights, scale, shift) in a layout of its own.

    enter and leave: from (B, C, H, W) to that layout and back, for tensors with so many channels and pixels a side.
    """

    def __init__(
        self,
        given: Inputs,
        function: Callable[[torch.Tensor, Tensors, torch.Tensor, torch.Tensor], torch.Tensor],
        enter: Callable[[torch.Tensor], torch.Tensor],
        leave: Callable[[torch.Tensor, int, int], torch.Tensor],
    ) -> None:
        self.given, self.function, self.leave = given, function, leave
        self.x = enter(given.x).detach().requires_grad_()
        self.weights = tuple(w.detach().clone().requires_grad_() for w in given.weights)
        self.scale, self.shift = given.scale.clone().requires_grad_(), given.shift.clone().requires_grad_()
        self.gradient = enter(given.gradient).detach()
        self.leaves = [self.x, *self.weights]
        if given.case.setting == "normed":
            self.leaves += [self.scale, self.shift]

    def forward(self) -> torch.Tensor:
        """The output."""
        with torch.no_grad():
            return self.function(self.x, self.weights, self.scale, self.shift)

    def both(self) -> tuple[torch.Tensor, Tensors]:
        """Output and gradients."""
        y = self.function(self.x, self.weights, self.scale, self.shift)
        return y, torch.autograd.grad(y, self.leaves, self.gradient)

    def results(self) -> Tensors:
        """In the plain layout."""
        y, (x, *rest) = self.both()
        case = self.given.case
        weights = [g.reshape(w.shape) for g, w in zip(rest, self.given.weights, strict=False)]
        return (
            self.leave(y.detach(), case.out_channels, case.out_size),
            self.leave(x, case.in_channels, case.size),
            *weights,
        )
