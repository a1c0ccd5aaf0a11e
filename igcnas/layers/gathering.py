"""Channels in another order, in the layout in which a GPU convolves: channels last.

`index_select(1, ...)` of a channels_last tensor gives a contiguous one, so that every convolution behind it copies its
input; and its gradient is a sum onto zeros, though a permutation needs only a gather by its inverse.
"""

from __future__ import annotations

from typing import Any

import torch

from igcnas.layers.simple import GatherChannels


class ChannelGather(GatherChannels):
    """GatherChannels that keeps channels_last on a GPU; elsewhere it is that class, the same to the bit."""

    def __init__(self, indices: list[int]) -> None:
        super().__init__(indices)
        self.permutes = sorted(indices) == list(range(len(indices)))
        self._inverse: torch.Tensor | None = None  # no buffer: exports would carry it

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Reorder channels."""
        if not x_BCHW.is_cuda or not x_BCHW.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x_BCHW)
        indices = self.get_buffer("indices")
        if self.permutes and x_BCHW.shape[1] == len(indices):
            if self._inverse is None or self._inverse.device != indices.device:
                self._inverse = indices.argsort()
            return _Permute.apply(x_BCHW, indices, self._inverse)  # type: ignore[no-any-return, no-untyped-call]
        return _gathered(x_BCHW, indices)


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


def _gathered(x_BCHW: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Of and in channels_last, where channels are the innermost dimension."""
    return x_BCHW.permute(0, 2, 3, 1).index_select(3, indices).permute(0, 3, 1, 2)
