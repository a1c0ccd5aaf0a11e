"""Every way to compute the operators that `benchmarks.operators` compares, in stock PyTorch and in igcnas.

To add one: a function from Inputs to an Operation, and a line in WAYS. The first of a kind is what the others are
compared with. Predictions, written before: times faster than that with both gradients, alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch
from torch.nn import functional

from benchmarks.speed.operations import (
    EPSILON,
    Differentiated,
    Inputs,
    Make,
    Operation,
    Tensors,
    block_permutations,
    permutation,
    plain,
)

Function = Callable[[torch.Tensor, Tensors, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way. kind: of the operator. devices: where it is timed. needs: a module of igcnas without which it is not."""

    name: str
    kind: str
    make: Make
    predicted: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "cuda")
    needs: str = "torch"

    def available(self, device: str) -> bool:
        """Whether it can be timed there."""
        return device in self.devices and find_spec(self.needs.partition(".")[0]) is not None and _found(self.needs)


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# Layouts: into them and back.


_CUDA = ("cuda",)


# On CUDA alone: see igcnas/kernels/library.py.
def _nhwc(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _same(x: torch.Tensor, channels: int, size: int) -> torch.Tensor:
    return x


def _cnhw(x: torch.Tensor) -> torch.Tensor:
    return x.transpose(0, 1).reshape(x.shape[1], -1).contiguous()


def _from_cnhw(x: torch.Tensor, channels: int, size: int) -> torch.Tensor:
    return x.view(channels, -1, size, size).transpose(0, 1)


def _in_nchw(function: Callable[[Inputs], Function]) -> Make:
    return lambda given: Differentiated(given, function(given), torch.Tensor.contiguous, _same)


def _in_nhwc(function: Callable[[Inputs], Function]) -> Make:
    return lambda given: Differentiated(given, function(given), _nhwc, _same)


def _in_cnhw(function: Callable[[Inputs], Function]) -> Make:
    return lambda given: Differentiated(given, function(given), _cnhw, _from_cnhw)


def _before(given: Inputs, *, shuffles: bool = False, permutes: bool = True) -> Function:
    """What comes before the convolution: norm and ReLU, or the permutation.

    shuffles: by channel_shuffle, which keeps channels_last. permutes: False where the way does it in its weights.
    """
    case = given.case
    indices = permutation(case, given.device) if case.setting == "permuted" else None

    def before(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        if case.setting == "normed":
            # (C, M) is (1, C, M) to batch_norm.
            flat = x.dim() == 2
            normed = functional.batch_norm(x[None] if flat else x, None, None, scale, shift, training=True, eps=EPSILON)
            return functional.relu(normed[0] if flat else normed)
        if indices is not None and permutes:
            return functional.channel_shuffle(x, case.shuffles) if shuffles else x.index_select(1, indices)
        return x

    return before


def _stock(given: Inputs) -> Function:
    """The definition itself, in the layout that it is given."""
    return lambda x, weights, scale, shift: plain(given, x, weights, scale, shift)


def _shuffled(given: Inputs) -> Function:
    """Group convolution behind channel_shuffle, so that channels_last is kept."""
    before, case = _before(given, shuffles=True), given.case

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(before(x, weights, scale, shift), weights[0], groups=case.groups)

    return function


def dense_places(given: Inputs) -> torch.Tensor:
    """Where each weight of a grouped 1x1 lies in the dense matrix (out * in); the permutation included."""
    case = given.case
    inputs_of_group, outputs_of_group = case.in_channels // case.groups, case.out_channels // case.groups
    out = torch.arange(case.out_channels)[:, None]
    into = out // outputs_of_group * inputs_of_group + torch.arange(inputs_of_group)[None]
    if case.setting == "permuted":
        into = permutation(case, torch.device("cpu"))[into]
    return (out * case.in_channels + into).flatten().to(given.device)


def _densely(product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[[Inputs], Function]:
    """Groups and permutation folded into a dense matrix (out, in), of which autograd gathers the gradient back."""

    def build(given: Inputs) -> Function:
        before, case, places = _before(given, permutes=False), given.case, dense_places(given)

        def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
            flat = weights[0].new_zeros(case.out_channels * case.in_channels).scatter(0, places, weights[0].flatten())
            return product(before(x, weights, scale, shift), flat.view(case.out_channels, case.in_channels))

        return function

    return build


def _dense_convolution(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, matrix[:, :, None, None])


def _dense_gemm(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return functional.linear(x.permute(0, 2, 3, 1), matrix).permute(0, 3, 1, 2)


class _Grouped(torch.autograd.Function):
    """Batched products over groups, written straight into views: no copy in either direction.

    `view(tensor, channels)` shows a tensor of the layout as (G, channels / G, pixels); `plain` is the same without the
    permutation.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, groups: int, view: Any, plain: Any) -> torch.Tensor:
        """y of shape (out, pixels) or (B, out, H, W) channels_last, as x is."""
        matrices = weight.view(groups, -1, weight.shape[1])
        y = _empty_like(x, weight.shape[0])
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
        into = _empty_like(x, x.shape[0] if x.dim() == 2 else x.shape[1])
        torch.bmm(matrices.transpose(1, 2), lies, out=ctx.view(into))
        return into, torch.bmm(lies, ctx.view(x).transpose(1, 2)).view_as(weight), None, None, None


def _empty_like(x: torch.Tensor, channels: int) -> torch.Tensor:
    if x.dim() == 2:
        return x.new_empty(channels, x.shape[1])
    batch, _, height, width = x.shape
    return x.new_empty(batch, height, width, channels).permute(0, 3, 1, 2)


def _bmm_nhwc(given: Inputs) -> Function:
    before, case = _before(given, shuffles=True), given.case

    def view(x: torch.Tensor) -> torch.Tensor:
        pixels = x.permute(0, 2, 3, 1)
        return pixels.view(-1, case.groups, x.shape[1] // case.groups).permute(1, 2, 0)

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _Grouped.apply(before(x, weights, scale, shift), weights[0], case.groups, view, view)
        return found

    return function


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


def _block_shuffled(given: Inputs) -> Function:
    before, case = _before(given), given.case
    M = case.in_channels // case.groups

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        x = before(x, weights, scale, shift)
        middle = functional.channel_shuffle(
            functional.conv2d(x, weights[0], padding=1, groups=case.groups), case.groups
        )
        return functional.channel_shuffle(functional.conv2d(middle, weights[1], groups=M), M)

    return function


def _block_composed(given: Inputs) -> Function:
    """One dense 3x3 convolution with the kernel that both are equal to; autograd takes its gradient apart."""
    before, case = _before(given), given.case
    c = case.in_channels
    M = c // case.groups
    between, behind = block_permutations(case, given.device)

    def spread(weight: torch.Tensor, groups: int) -> torch.Tensor:
        """The blocks (out, in / groups, k, k) on the diagonal of a dense kernel."""
        out = torch.arange(c, device=weight.device)[:, None]
        into = out // (c // groups) * (c // groups) + torch.arange(c // groups, device=weight.device)
        index = into[:, :, None, None].expand_as(weight)
        return weight.new_zeros(c, c, *weight.shape[2:]).scatter(1, index, weight)

    def function(x: torch.Tensor, weights: Tensors, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        first = spread(weights[0], case.groups).index_select(0, between)
        second = spread(weights[1], M)[:, :, 0, 0].index_select(0, behind)
        kernel = torch.matmul(second, first.flatten(1)).view(c, c, 3, 3)
        return functional.conv2d(before(x, weights, scale, shift), kernel, padding=1)

    return function


def _fast(given: Inputs) -> Operation:
    from benchmarks.speed.ours import FastSteps

    return FastSteps(given)


def _kernels(given: Inputs) -> Operation:
    from benchmarks.speed.ours import Kernels

    return Kernels(given)


REFERENCE = "nn.Conv2d, NCHW"
TWO = "two convolutions, NCHW"
_ROWS = (
    Way(name=REFERENCE, kind="pointwise", make=_in_nchw(_stock), predicted={"cpu": "1", "cuda": "1"}),
    Way(
        name="nn.Conv2d, NHWC",
        kind="pointwise",
        make=_in_nhwc(_shuffled),
        devices=_CUDA,
        predicted={"cuda": "1 to 3"},
    ),
    Way(
        name="dense convolution, NHWC",
        kind="pointwise",
        make=_in_nhwc(_densely(_dense_convolution)),
        devices=_CUDA,
        predicted={"cuda": "2 to 6"},
    ),
    Way(
        name="dense GEMM, NHWC",
        kind="pointwise",
        make=_in_nhwc(_densely(_dense_gemm)),
        devices=_CUDA,
        predicted={"cuda": "2 to 6"},
    ),
    Way(
        name="bmm, NHWC",
        kind="pointwise",
        make=_in_nhwc(_bmm_nhwc),
        devices=_CUDA,
        predicted={"cuda": "2 to 5"},
    ),
    Way(name="bmm, CNHW", kind="pointwise", make=_in_cnhw(_bmm_cnhw), predicted={"cpu": "1.3 to 4", "cuda": "2 to 5"}),
    Way(name="einsum, NCHW", kind="pointwise", make=_in_nchw(_einsum), predicted={"cpu": "0.3 to 1", "cuda": "1"}),
    Way(name="matmul, NCHW", kind="pointwise", make=_in_nchw(_matmul), predicted={"cpu": "1 to 2", "cuda": "1 to 3"}),
    Way(name=REFERENCE, kind="depthwise", make=_in_nchw(_stock), predicted={"cpu": "1", "cuda": "1"}),
    Way(
        name="nn.Conv2d, NHWC",
        kind="depthwise",
        make=_in_nhwc(_stock),
        devices=_CUDA,
        predicted={"cuda": "0.7 to 3"},
    ),
    Way(name=REFERENCE, kind="dense", make=_in_nchw(_stock), predicted={"cpu": "1", "cuda": "1"}),
    Way(
        name="nn.Conv2d, NHWC",
        kind="dense",
        make=_in_nhwc(_stock),
        devices=_CUDA,
        predicted={"cuda": "1.5"},
    ),
    Way(name="unfold and GEMM, NCHW", kind="dense", make=_in_nchw(_unfold), predicted={"cpu": "0.4", "cuda": "0.2"}),
    Way(name=TWO, kind="block", make=_in_nchw(_stock), predicted={"cpu": "1", "cuda": "1"}),
    Way(
        name="two convolutions, NHWC",
        kind="block",
        make=_in_nhwc(_block_shuffled),
        devices=_CUDA,
        predicted={"cuda": "1.5"},
    ),
    Way(
        name="composed 3x3, NCHW",
        kind="block",
        make=_in_nchw(_block_composed),
        predicted={"cpu": "0.3", "cuda": "2 to 5"},
    ),
    Way(
        name="composed 3x3, NHWC",
        kind="block",
        make=_in_nhwc(_block_composed),
        devices=_CUDA,
        predicted={"cuda": "3 to 8"},
    ),
    *(
        Way(
            name="igcnas, fast engine",
            kind=kind,
            make=_fast,
            predicted={"cpu": times},
            devices=("cpu",),
            needs="igcnas.execution.cpu.operators",
        )
        for kind, times in (
            ("pointwise", "1.3 to 4"),
            ("depthwise", "1.5 to 3"),
            ("dense", "0.7 to 1.5"),
            ("block", "1.5"),
        )
    ),
    *(
        Way(
            name="igcnas, Triton",
            kind=kind,
            make=_kernels,
            predicted={"cuda": times},
            devices=_CUDA,
            needs="igcnas.kernels.pointwise",
        )
        for kind, times in (("pointwise", "2 to 6"), ("depthwise", "2 to 8"))
    ),
)
WAYS: dict[str, list[Way]] = {}
for _way in _ROWS:
    WAYS.setdefault(_way.kind, []).append(_way)


def ways_of(kind: str, device: str) -> list[Way]:
    """Those that can be timed on the device, in order."""
    return [way for way in WAYS[kind] if way.available(device)]
