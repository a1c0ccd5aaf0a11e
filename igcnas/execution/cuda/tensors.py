"""What values hold here: cells that are filled at each step, orders of channels, and channels_last tensors.

Buffers are torch's: an operation makes a new tensor and puts it into the storage, and one that nobody needs is let go.
So torch's allocator is the pool, under the capture of a CUDA graph that of the graph.
"""

from __future__ import annotations

from typing import Any

import torch

from igcnas.execution.cuda.folding import in_order, inverse
from igcnas.execution.values import AFFINE, COPY, RELU, RELU6, Gradient, Value
from igcnas.kernels import norm
from igcnas.kernels.lazy import Activation, Affine, Backward, GradientAffine

NAMES: dict[int, Activation] = {COPY: "none", AFFINE: "none", RELU: "relu", RELU6: "relu6"}


class Cell:
    """A place for what a step computes and several values share."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: Any = None


class Order:
    """rows: the stored row of each channel. index and back: it and its inverse on the device."""

    def __init__(self, rows: tuple[int, ...], device: torch.device) -> None:
        self.rows, self.ordered, self._device = rows, in_order(rows), device
        self._index: torch.Tensor | None = None
        self._back: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def index(self) -> torch.Tensor:
        """int64, the stored row of each channel."""
        if self._index is None:
            with torch.inference_mode(False):
                self._index = torch.tensor(self.rows, device=self._device)
        return self._index

    @property
    def back(self) -> torch.Tensor:
        """int64, the channel of each stored row."""
        if self._back is None:
            with torch.inference_mode(False):
                self._back = torch.tensor(inverse(self.rows), device=self._device)
        return self._back


def empty(batch: int, channels: int, size: tuple[int, int], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A channels_last tensor."""
    height, width = size
    strides = (channels * height * width, 1, width * channels, channels)
    return torch.empty_strided((batch, channels, height, width), strides, dtype=dtype, device=device)


def pixels(x_BCHW: torch.Tensor) -> torch.Tensor:
    """The same memory as a matrix (batch * height * width, channels)."""
    return x_BCHW.permute(0, 2, 3, 1).reshape(-1, x_BCHW.shape[1])


def last(x_BCHW: torch.Tensor) -> torch.Tensor:
    """channels_last, the same tensor where it is so already."""
    return x_BCHW.contiguous(memory_format=torch.channels_last)


def select(x_BCHW: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Channels by index; channels_last stays."""
    return x_BCHW.permute(0, 2, 3, 1).index_select(3, index).permute(0, 3, 1, 2)


def affine(value: Value) -> Affine | None:
    """What is pending on it before the activation."""
    return Affine(value.scale.held, value.shift.held) if value.normed else None


def centre(value: Value) -> torch.Tensor | None:
    """What its gradient sums are about."""
    held: torch.Tensor | None = value.mean.held if value.normed else None
    return held


def activated(value: Value) -> torch.Tensor:
    """The value with nothing pending but the order; the storage itself where nothing is."""
    stored: torch.Tensor = value.storage.array
    if value.code == COPY:
        return stored
    return norm.apply(stored, affine(value), NAMES[value.code])


def ordered(value: Value) -> torch.Tensor:
    """The value with nothing pending."""
    found = activated(value)
    return found if value.rows.ordered else select(found, value.rows.index)


def lazy(gradient: Gradient) -> GradientAffine | None:
    """The affine map that is pending on a gradient."""
    if not gradient.lazy:
        return None
    return GradientAffine(gradient.y.array, gradient.a.held, gradient.b.held, gradient.c.held)


def settled(gradient: Gradient) -> torch.Tensor:
    """The gradient with nothing pending."""
    g: torch.Tensor = gradient.g.array
    if not gradient.lazy:
        return g
    coefficients = Backward(gradient.a.held, gradient.b.held, gradient.c.held, None, None)
    return norm.backward_apply(g, gradient.y.array, coefficients)
