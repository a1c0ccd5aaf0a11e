"""Images that lie on the device as uint8: a whole epoch is cropped and mirrored at once, as airbench does it.

A batch is then a slice, normalised when it is asked for. Plain PyTorch; nothing waits for the device.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from benchmarks.speed.stock import Batch
from igcnas.training.tensors import TrainingData

_EVALUATION_BATCH = 1000


class ResidentBatches:
    """Batches for `stock.train` from the memory of the device."""

    def __init__(self, data: TrainingData, batch_size: int) -> None:
        self.data, self.others_mb = data, 0.0
        self.images, self.labels = data.training.images, data.training.labels
        self.batch_size = min(batch_size, len(self.labels))
        self.padded = functional.pad(self.images, (data.pad,) * 4)
        shape = (1, -1, 1, 1)
        self.scale, self.shift = (1 / (255 * data.std)).view(shape), (-data.mean / data.std).view(shape)

    @property
    def steps(self) -> int:
        """Batches of an epoch; images that do not fill a last one are left out."""
        return len(self.labels) // self.batch_size

    def training(self, epoch: int) -> Iterator[Batch]:
        """One epoch in random order."""
        images, labels = self.augmented()
        for start in range(0, self.steps * self.batch_size, self.batch_size):
            yield self.normalised(images[start : start + self.batch_size]), labels[start : start + self.batch_size]

    def validation(self) -> Iterator[Batch]:
        """All validation images, in large batches."""
        held = self.data.validation
        for start in range(0, len(held), _EVALUATION_BATCH):
            stop = start + _EVALUATION_BATCH
            yield self.normalised(held.images[start:stop]), held.labels[start:stop]

    def augmented(self) -> tuple[torch.Tensor, torch.Tensor]:
        """uint8 images of an epoch in random order, and their labels."""
        device, (count, channels, height, width) = self.images.device, self.images.shape
        order = torch.randperm(count, device=device)
        offsets = torch.randint(2 * self.data.pad + 1, (2, count), device=device)
        rows = offsets[0][:, None] + torch.arange(height, device=device)
        columns = torch.arange(width, device=device).expand(count, width)
        if self.data.flip:
            columns = torch.where(torch.rand(count, 1, device=device) < 0.5, width - 1 - columns, columns)
        columns = offsets[1][:, None] + columns
        all_channels = torch.arange(channels, device=device)
        return (
            self.padded[
                order[:, None, None, None],
                all_channels[None, :, None, None],
                rows[:, None, :, None],
                columns[:, None, None, :],
            ],
            self.labels[order],
        )

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 to float32 of about zero mean and unit variance."""
        return images.float() * self.scale + self.shift
