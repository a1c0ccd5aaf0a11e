"""A data set resident on the device as uint8, and its batches: crop, flip and normalisation as batched operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from igcnas.data import Dataset, Split, split_train_validation
from igcnas.settings import TrainingSettings


@dataclass(frozen=True, slots=True, eq=False)
class ImageTensors:
    """Images uint8 (n, channels, height, width) and labels int64 (n,) on one device."""

    images: torch.Tensor
    labels: torch.Tensor

    @staticmethod
    def of(split: Split, device: torch.device) -> ImageTensors:
        """The split on the device."""
        return ImageTensors(torch.from_numpy(split.images).to(device), torch.from_numpy(split.labels).to(device))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Training and validation images on the device.

    mean and std, one for each channel, are of the training part, on the scale [0, 1].
    """

    training: ImageTensors
    validation: ImageTensors
    num_classes: int
    mean: torch.Tensor
    std: torch.Tensor
    flip: bool
    pad: int

    @staticmethod
    def of(dataset: Dataset, settings: TrainingSettings, device: torch.device) -> TrainingData:
        """Split, move, and measure the statistics."""
        fraction, seed = settings.validation_fraction, settings.seed
        training, validation = split_train_validation(dataset.train, fraction=fraction, seed=seed)
        pixels = training.images.reshape(*training.images.shape[:2], -1)
        mean = torch.tensor(pixels.mean((0, 2)) / 255.0, dtype=torch.float32)
        std = torch.tensor(pixels.std((0, 2)) / 255.0, dtype=torch.float32).clamp_min(1e-3)
        return TrainingData(
            training=ImageTensors.of(training, device),
            validation=ImageTensors.of(validation, device),
            num_classes=dataset.num_classes,
            mean=mean.to(device),
            std=std.to(device),
            flip=dataset.flip,
            pad=dataset.pad,
        )

    def normalize(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """uint8 to float32 of about zero mean and unit variance."""
        scaled = images_BCHW.float() / 255.0
        return (scaled - self.mean[:, None, None]) / self.std[:, None, None]

    def epoch(self, batch_size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Augmented float batches in random order; the last, incomplete one is left out unless it is the only one.

        All random numbers of the epoch come from the seed, on the CPU, so that every device sees the same batches and a
        resumed training needs no state of a generator. They travel to the device once.
        """
        device, count = self.training.images.device, len(self.training)
        batch_size = min(batch_size, count)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(count, generator=generator).to(device)
        offsets = torch.randint(2 * self.pad + 1, (2, count), generator=generator).to(device)
        mirrored = (torch.rand(count, generator=generator) < 0.5).to(device) if self.flip else None
        padded = functional.pad(self.training.images, (self.pad,) * 4)
        for start in range(0, count - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            flips = mirrored[chosen] if mirrored is not None else None
            images = _crop(padded, chosen, offsets[:, chosen], flips, self.training.images.shape[2:])
            yield self.normalize(images), self.training.labels[chosen]


def _crop(
    padded_NCHW: torch.Tensor,
    chosen_B: torch.Tensor,
    offsets_2B: torch.Tensor,
    flips_B: torch.Tensor | None,
    size: torch.Size,
) -> torch.Tensor:
    """Windows of `size` at these offsets of the chosen images, some of them mirrored; one gather."""
    device = padded_NCHW.device
    height, width = size
    columns_W = torch.arange(width, device=device)
    rows_BH = offsets_2B[0][:, None] + torch.arange(height, device=device)
    columns_BW = columns_W.expand(len(chosen_B), width)
    if flips_B is not None:
        columns_BW = torch.where(flips_B[:, None], width - 1 - columns_W, columns_W)
    columns_BW = offsets_2B[1][:, None] + columns_BW
    channels_C = torch.arange(padded_NCHW.shape[1], device=device)
    return padded_NCHW[
        chosen_B[:, None, None, None],
        channels_C[None, :, None, None],
        rows_BH[:, None, :, None],
        columns_BW[:, None, None, :],
    ]
