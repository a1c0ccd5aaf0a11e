"""What the steps ask of a device: buffers and the operations on values. `cpu.operators` answers."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from igcnas.execution.values import Gradient, Storage, Use, Value, Vectors
from igcnas.execution.weights import Convolved
from igcnas.network.primitives import Pool, Size


class Operators(Vectors, Protocol):
    """Operations on values of one batch size. Vectors are in the order of storage unless they say otherwise."""

    batch: int

    def reorder(self, rows: Any, indices: tuple[int, ...]) -> Any:
        """The rows of a value whose channels are permuted: rows[indices]."""

    def in_order(self, rows: Any) -> bool:
        """Whether these are the rows of a value in its own order."""

    def places(self, channels: int, size: Size) -> Any:
        """Room for the pixel that each window of a pooling took."""

    def means(self, channels: int) -> Any:
        """Room for the mean of each channel and image."""

    def allocate(self, channels: int, size: Size) -> Storage:
        """A buffer that stays."""

    def take_like(self, storage: Storage) -> Storage:
        """A buffer of this shape for a gradient, from the pool."""

    def duplicate(self, storage: Storage) -> Storage:
        """A copy, in a buffer from the pool."""

    def release(self, storage: Storage) -> None:
        """One user less; back to the pool without any."""

    def plain_gradient(self, storage: Storage) -> Gradient:
        """The gradient that is in this storage."""

    def view(self, tensor: torch.Tensor) -> Any:
        """A parameter or its gradient as the operations take it, sharing memory."""

    def load(self, images: torch.Tensor, storage: Storage) -> None:
        """Images (B, C, H, W), float, B at most the batch, into a storage; what is left is repeated of the last."""

    def leaf(self, means: Any) -> torch.Tensor:
        """Means as a tensor (batch, channels)."""

    def norm(self, module: nn.BatchNorm2d) -> Any:
        """The parameters and buffers of a norm."""

    def convolve(self, convolved: Convolved, taken: bool) -> None:
        """convolved.out from convolved.use; statistics where `taken`."""

    def convolve_backward(self, convolved: Convolved, gradient: Gradient, into: Storage | None) -> None:
        """The weight's gradient, and into that of the input unless None."""

    def normalise(self, norm: Any, source: Value, out: Value) -> None:
        """scale, shift and mean of `out` from the statistics of its storage; running statistics."""

    def normalise_by_running(self, norm: Any, out: Value) -> None:
        """scale and shift from the running statistics."""

    def norm_backward(self, norm: Any, out: Value, a: Any, b: Any, c: Any) -> None:
        """Gradients of the parameters; a, b, c of the lazy gradient."""

    def add(self, one: Value, other: Value, out: Value, taken: bool) -> None:
        """out = one + other."""

    def copy(self, value: Value, out: Value, start: int) -> None:
        """Channels start.. of out."""

    def statistics(self, value: Value) -> None:
        """Sums of what is stored."""

    def moments(self, storage: Storage, value: Value) -> None:
        """The value's gradient sums, of a gradient that is in this storage."""

    def distribute(self, gradient: Gradient, start: int, use: Use, into: Storage, *, stored: bool = False) -> None:
        """Add channels start.. of a gradient to that of the used value.

        The gradient has the channels of the value in the value's order; `stored`: in that of its storage.
        """

    def settled(self, gradient: Gradient, value: Value) -> Storage:
        """The gradient of this value, not lazy any more."""

    def pool(self, layer: Pool, value: Value, out: Value, places: Any) -> None:
        """Max or average over windows."""

    def pool_backward(self, layer: Pool, gradient: Storage, use: Use, places: Any, into: Storage) -> None:
        """Spread the gradient to the pixels that each window took."""

    def sample(self, value: Value, stride: int, before: int, out: Value) -> None:
        """Every stride-th pixel, zeros for new channels."""

    def sample_backward(self, gradient: Storage, stride: int, before: int, use: Use, into: Storage) -> None:
        """Spread the gradient to the pixels that were kept."""

    def mean(self, value: Value, held: Any) -> None:
        """Over the pixels."""

    def mean_backward(self, gradient: torch.Tensor | None, use: Use, into: Storage) -> None:
        """(batch, channels), equally to the pixels."""

    def generate(self, generator: nn.Sequential, context: torch.Tensor) -> torch.Tensor:
        """What a generator of gates answers to (batch, features), in training, through autograd."""

    def gate(self, value: Value, gates: torch.Tensor, out: Value) -> None:
        """Each head's copy times gates (batch, heads * channels)."""

    def gate_backward(self, gradient: Storage, gates: torch.Tensor, use: Use, into: Storage | None) -> torch.Tensor:
        """Into the input's gradient unless None; returns that of the gates."""
