"""What the engine asks of data, whether they lie in memory or are read from files while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch

from igcnas.training.distributed import World

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


class Source(Protocol):
    """Batches are (images, labels): float32 (B, C, H, W), normalised, and int64 (B,), on the device.

    Everything random in an epoch comes from (seed of the training, epoch, position), so that it can go on anywhere.
    """

    @property
    def mean(self) -> torch.Tensor:
        """Of each channel of the training images, on the scale [0, 1]; it is on the device of the batches."""
        ...

    @property
    def std(self) -> torch.Tensor:
        """Standard deviation of each channel."""
        ...

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        ...

    def class_images(self) -> list[int]:
        """Training images of each class."""
        ...

    def steps(self, batch_size: int) -> int:
        """Batches of an epoch, 1 or more; the images that do not fill a last one are left out."""
        ...

    def epoch(self, batch_size: int, seed: int, *, first: int = 0, world: World = ...) -> Batches:
        """Augmented batches from the `first` on, of each the part of this process; `seed` is that of the epoch."""
        ...

    def training_images(self) -> int:
        """How many there are to train on."""
        ...

    def validates(self) -> bool:
        """Whether images were put aside for validation."""
        ...

    def validation_images(self) -> int:
        """Number of validation images."""
        ...

    def validation_batches(self, *, world: World = ...) -> Batches:
        """The validation images that are this process's to evaluate."""
        ...
