"""Layers that keep the layout in which a GPU convolves: channels_last. Elsewhere they are their bases, to the bit.

`index_select(1, ...)` of a channels_last tensor gives a contiguous one, and so do the gradients of a mean over pixels
and of every second pixel; every convolution behind it then copies what it reads. Along the shortcuts of a residual
network such a gradient reaches every block. The gradient of a permutation is also a sum onto zeros, where a gather by
its inverse will do.
"""

from __future__ import annotations

from typing import Any

import torch

from igcnas.modules.layers.simple import GatedSequential, GatherChannels, GlobalAveragePool, PadChannels

_LAYOUT: dict[str, Any] = {"memory_format": torch.channels_last}


class ChannelGather(GatherChannels):
    """GatherChannels."""

    def __init__(self, indices: list[int]) -> None:
        super().__init__(indices)
        self.permutes = sorted(indices) == list(range(len(indices)))
        self._inverse: torch.Tensor | None = None  # no buffer: exports would carry it

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Reorder channels."""
        if not _channels_last(x_BCHW):
            return super().forward(x_BCHW)
        indices = self.get_buffer("indices")
        if self.permutes and x_BCHW.shape[1] == len(indices):
            if self._inverse is None or self._inverse.device != indices.device:
                self._inverse = indices.argsort()
            return _Permute.apply(x_BCHW, indices, self._inverse)  # type: ignore[no-any-return, no-untyped-call]
        return _gathered(x_BCHW, indices)


class PixelAverage(GlobalAveragePool):
    """GlobalAveragePool."""

    def average(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Over the pixels."""
        return pixel_average(x_BCHW)


class ContextSequential(GatedSequential):
    """GatedSequential."""

    def average(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Over the pixels."""
        return pixel_average(x_BCHW)


class PaddedShortcut(PadChannels):
    """PadChannels."""

    def sample(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Every stride-th pixel."""
        if self.stride == 1 or not _channels_last(x_BCHW):
            return super().sample(x_BCHW)
        return _Sample.apply(x_BCHW, self.stride)  # type: ignore[no-any-return, no-untyped-call]


def pixel_average(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Mean over height and width, (B, C), whose gradient has the layout of x."""
    if not _channels_last(x_BCHW):
        return x_BCHW.mean((2, 3))
    return _Average.apply(x_BCHW)  # type: ignore[no-any-return, no-untyped-call]


class _Permute(torch.autograd.Function):
    """A gather by the order forwards, by its inverse backwards."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: torch.Tensor, indices: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(inverse)
        return _gathered(x_BCHW, indices)

    @staticmethod
    def backward(ctx: Any, grad_BCHW: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return _gathered(grad_BCHW, inverse), None, None


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BCHW: torch.Tensor) -> torch.Tensor:
        ctx.shape = x_BCHW.shape
        return x_BCHW.mean((2, 3))

    @staticmethod
    def backward(ctx: Any, grad_BC: torch.Tensor) -> torch.Tensor:
        each_BC11 = (grad_BC / (ctx.shape[2] * ctx.shape[3]))[:, :, None, None]
        gradient: torch.Tensor = each_BC11.expand(ctx.shape).contiguous(memory_format=torch.channels_last)
        return gradient


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BCHW: torch.Tensor, stride: int) -> torch.Tensor:
        ctx.shape, ctx.stride = x_BCHW.shape, stride
        return x_BCHW[:, :, ::stride, ::stride].contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, grad_BCHW: torch.Tensor) -> tuple[torch.Tensor, None]:
        # Not torch.zeros, which knows no layout.
        gradient = torch.empty(ctx.shape, dtype=grad_BCHW.dtype, device=grad_BCHW.device, **_LAYOUT).zero_()
        gradient[:, :, :: ctx.stride, :: ctx.stride] = grad_BCHW
        return gradient, None


def _gathered(x_BCHW: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Of and in channels_last, where channels are the innermost dimension."""
    return x_BCHW.permute(0, 2, 3, 1).index_select(3, indices).permute(0, 3, 1, 2)


def _channels_last(x: torch.Tensor) -> bool:
    """On a GPU. First of all that: while a network is exported, on a CPU, nothing is to be asked of its sizes."""
    return x.is_cuda and x.is_contiguous(memory_format=torch.channels_last)
