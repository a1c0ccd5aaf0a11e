"""Every way to compute the operators that `benchmarks.operators` compares, in stock PyTorch and in igcnas.

To add one: a function from Inputs to an Operation, and a line in WAYS. The first of a kind is what the others are
compared with. Predictions, written before: times faster than that with both gradients, alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from benchmarks.speed.operations import (
    EPSILON,
    Differentiated,
    Inputs,
    Make,
    Tensors,
    block_permutations,
    permutation,
    plain,
)
from benchmarks.speed.ours import FastSteps

Function = Callable[[torch.Tensor, Tensors, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way. kind: of the operator."""

    name: str
    kind: str
    make: Make
    predicted: str


# Layouts: into them and back. None is channels_last: torch's CPU build is not to be trusted with it (docs/speed.md).


def _same(x: torch.Tensor, channels: int, size: int) -> torch.Tensor:
    return x


def _cnhw(x: torch.Tensor) -> torch.Tensor:
    return x.transpose(0, 1).reshape(x.shape[1], -1).contiguous()


def _from_cnhw(x: torch.Tensor, channels: int, size: int) -> torch.Tensor:
    return x.view(channels, -1, size, size).transpose(0, 1)


def _in_nchw(function: Callable[[Inputs], Function]) -> Make:
    return lambda given: Differentiated(given, function(given), torch.Tensor.contiguous, _same)


def _in_cnhw(function: Callable[[Inputs], Function]) -> Make:
    return lambda given: Differentiated(given, function(given), _cnhw, _from_cnhw)


def _before(given: Inputs, *, permutes: bool = True) -> Function:
    """What comes before the convolution: norm and ReLU, or the permutation unless the way does it in its views."""
    case = given.case
    indices = permutation(case) if permutes and case.setting == "permuted" else None

    def before(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        if case.setting == "normed":
            # (C, M) is (1, C, M) to batch_norm.
            flat = x.dim() == 2
            normed = functional.batch_norm(x[None] if flat else x, None, None, scale, shift, training=True, eps=EPSILON)
            return functional.relu(normed[0] if flat else normed)
        return x if indices is None else x.index_select(1, indices)

    return before


def _stock(given: Inputs) -> Function:
    """The definition itself, in the layout that it is given."""
    return lambda x, weights, scale, shift: plain(given, x, weights, scale, shift)


class _Grouped(torch.autograd.Function):
    """Batched products over groups, written straight into views: no copy in either direction.

    `view(tensor)` shows a tensor (channels, pixels) as (G, channels / G, pixels); `plain` is the same without the
    permutation.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, groups: int, view: Any, plain: Any) -> torch.Tensor:
        """y of shape (out, pixels)."""
        matrices = weight.view(groups, -1, weight.shape[1])
        y = x.new_empty(weight.shape[0], x.shape[1])
        torch.bmm(matrices, view(x), out=plain(y))
        ctx.save_for_backward(x, weight)
        ctx.groups, ctx.view, ctx.plain = groups, view, plain
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of x and of the weight."""
        x, weight = ctx.saved_tensors
        matrices = weight.view(ctx.groups, -1, weight.shape[1])
        lies = ctx.plain(gradient)
        into = torch.empty_like(x)
        torch.bmm(matrices.transpose(1, 2), lies, out=ctx.view(into))
        return into, torch.bmm(lies, ctx.view(x).transpose(1, 2)).view_as(weight), None, None, None


def _bmm_cnhw(given: Inputs) -> Function:
    before, case = _before(given, permutes=False), given.case

    def as_it_is(x: torch.Tensor) -> torch.Tensor:
        return x.view(case.groups, -1, x.shape[1])

    def interleaved(x: torch.Tensor) -> torch.Tensor:
        return x.view(-1, case.groups, x.shape[1]).transpose(0, 1)

    view = interleaved if case.setting == "permuted" else as_it_is

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _Grouped.apply(before(x, weights, scale, shift), weights[0], case.groups, view, as_it_is)
        return found

    return function


def _einsum(given: Inputs) -> Function:
    before, case = _before(given), given.case

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        x = before(x, weights, scale, shift)
        split = x.unflatten(1, (case.groups, -1))
        matrices = weights[0].view(case.groups, -1, weights[0].shape[1])
        return torch.einsum("goi,bgihw->bgohw", matrices, split).flatten(1, 2)

    return function


def _matmul(given: Inputs) -> Function:
    before, case = _before(given), given.case

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        x = before(x, weights, scale, shift)
        split = x.reshape(case.batch, case.groups, -1, case.size**2)
        matrices = weights[0].view(case.groups, -1, weights[0].shape[1])
        return torch.matmul(matrices, split).view(case.batch, case.out_channels, case.size, case.size)

    return function


def _unfold(given: Inputs) -> Function:
    before, case = _before(given), given.case

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        patches = functional.unfold(before(x, weights, scale, shift), 3, padding=1)
        out = torch.matmul(weights[0].flatten(1), patches)
        return out.view(case.batch, case.out_channels, case.size, case.size)

    return function


def _block_composed(given: Inputs) -> Function:
    """One dense 3x3 convolution with the kernel that both are equal to; autograd takes its gradient apart."""
    before, case = _before(given), given.case
    c = case.in_channels
    M = c // case.groups
    between, behind = block_permutations(case)

    def spread(weight: torch.Tensor, groups: int) -> torch.Tensor:
        """The blocks (out, in / groups, k, k) on the diagonal of a dense kernel."""
        out = torch.arange(c)[:, None]
        into = out // (c // groups) * (c // groups) + torch.arange(c // groups)
        index = into[:, :, None, None].expand_as(weight)
        return weight.new_zeros(c, c, *weight.shape[2:]).scatter(1, index, weight)

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        first = spread(weights[0], case.groups).index_select(0, between)
        second = spread(weights[1], M)[:, :, 0, 0].index_select(0, behind)
        kernel = torch.matmul(second, first.flatten(1)).view(c, c, 3, 3)
        return functional.conv2d(before(x, weights, scale, shift), kernel, padding=1)

    return function


REFERENCE = "nn.Conv2d, NCHW"
TWO = "two convolutions, NCHW"
_ROWS = (
    Way(name=REFERENCE, kind="pointwise", make=_in_nchw(_stock), predicted="1"),
    Way(name="bmm, CNHW", kind="pointwise", make=_in_cnhw(_bmm_cnhw), predicted="1.3 to 4"),
    Way(name="einsum, NCHW", kind="pointwise", make=_in_nchw(_einsum), predicted="0.3 to 1"),
    Way(name="matmul, NCHW", kind="pointwise", make=_in_nchw(_matmul), predicted="1 to 2"),
    Way(name=REFERENCE, kind="depthwise", make=_in_nchw(_stock), predicted="1"),
    Way(name=REFERENCE, kind="dense", make=_in_nchw(_stock), predicted="1"),
    Way(name="unfold and GEMM, NCHW", kind="dense", make=_in_nchw(_unfold), predicted="0.4"),
    Way(name=TWO, kind="block", make=_in_nchw(_stock), predicted="1"),
    Way(name="composed 3x3, NCHW", kind="block", make=_in_nchw(_block_composed), predicted="0.3"),
    *(
        Way(name="igcnas, fast engine", kind=kind, make=FastSteps, predicted=times)
        for kind, times in (
            ("pointwise", "1.3 to 4"),
            ("depthwise", "1.5 to 3"),
            ("dense", "0.7 to 1.5"),
            ("block", "1.5"),
        )
    ),
)
WAYS: dict[str, list[Way]] = {}
for _way in _ROWS:
    WAYS.setdefault(_way.kind, []).append(_way)
