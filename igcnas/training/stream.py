"""Training from files: a Source whose batches are decoded while the device computes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from igcnas.data.augmentation import Augmentation
from igcnas.data.listing import FolderListing, Listing
from igcnas.data.stream import Form, ImageFiles, StreamBatch, stream
from igcnas.system.resources import usable_cores
from igcnas.training.augment import erase, jitter
from igcnas.training.distributed import ALONE, World
from igcnas.training.source import Batches

_STATISTICS_IMAGES = 2048
_STATISTICS_BATCH = 64
_EVALUATION_BATCH = 128


def default_workers(device: torch.device) -> int:
    """Processes that decode: all cores this process may use, shared among the processes of this machine that train.

    Where the network runs on the same cores, half of them.
    """
    cores = usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, cores if device.type == "cuda" else cores // 2)


@dataclass(frozen=True, slots=True, eq=False)
class StreamData:
    """A Source of files. mean and std are of a fixed random sample of the training images, cut as for validation."""

    training: ImageFiles
    validation: ImageFiles | None
    num_classes: int
    mean: torch.Tensor
    std: torch.Tensor
    workers: int

    @staticmethod
    def split(
        folder: FolderListing,
        device: torch.device,
        *,
        size: int,
        fraction: float | None,
        seed: int,
        augmentation: Augmentation,
        workers: int,
    ) -> StreamData:
        """Put the folder's own validation split aside, else a fraction of each class (None: nothing); measure."""
        train, validation = folder.train, None
        if fraction is not None:
            train, validation = folder.split(fraction=fraction, seed=seed)
        cut = Form(size=size, augmentation=augmentation, training=False)
        mean, std = _statistics(ImageFiles(train, cut), workers)
        return StreamData(
            training=ImageFiles(train, Form(size=size, augmentation=augmentation, training=True)),
            validation=None if validation is None else ImageFiles(validation, cut),
            num_classes=len(folder.classes),
            mean=mean.to(device),
            std=std.to(device),
            workers=workers,
        )

    def normalize(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Images in [0, 1] to about zero mean and unit variance."""
        return (images_BCHW - self.mean[:, None, None]) / self.std[:, None, None]

    def class_images(self) -> list[int]:
        """Training images of each class."""
        counts: list[int] = np.bincount(self.training.labels, minlength=self.num_classes).tolist()
        return counts

    def steps(self, batch_size: int) -> int:
        """Batches of an epoch."""
        return max(1, len(self.training) // batch_size)

    def epoch(self, batch_size: int, seed: int, *, first: int = 0, world: World = ALONE) -> Batches:
        """Augmented batches in random order from the `first` on; the part of this process."""
        count = len(self.training)
        batch_size = min(batch_size, count)
        part = world.part(batch_size)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(count, generator=generator).tolist()
        starts = range(first * batch_size + world.rank * part, count - batch_size + world.rank * part + 1, batch_size)
        batches = [[(seed, index) for index in order[start : start + part]] for start in starts]
        strengths, share = self.training.form.augmentation.jitter, self.training.form.augmentation.erase
        erased = torch.rand(count, 2, generator=generator) if share else None  # by place in the order
        for start, batch in zip(starts, self._stream(self.training, batches), strict=True):
            images, labels, colours = self._to_device(batch)
            images = self.normalize(jitter(images, colours, strengths))
            if erased is not None:
                images = erase(images, erased[start : start + part].to(images.device), share)
            yield images, labels

    def training_images(self) -> int:
        """How many there are to train on."""
        return len(self.training)

    def validates(self) -> bool:
        """Whether images were put aside."""
        return self.validation is not None

    def validation_images(self) -> int:
        """Number of validation images."""
        return 0 if self.validation is None else len(self.validation)

    def validation_batches(self, *, world: World = ALONE) -> Batches:
        """Normalised validation images."""
        assert self.validation is not None
        return self.batches_of(self.validation, world=world)

    def test_files(self, listing: Listing) -> ImageFiles:
        """Other images, cut as those for validation."""
        form = self.training.form
        return ImageFiles(listing, Form(size=form.size, augmentation=form.augmentation, training=False))

    def batches_of(self, files: ImageFiles, *, world: World = ALONE) -> Batches:
        """Normalised batches, in order; the part of this process."""
        starts = range(world.rank * _EVALUATION_BATCH, len(files), world.size * _EVALUATION_BATCH)
        batches = [
            [(0, index) for index in range(start, min(start + _EVALUATION_BATCH, len(files)))] for start in starts
        ]
        for batch in self._stream(files, batches):
            images, labels, _ = self._to_device(batch)
            yield self.normalize(images), labels

    def _stream(self, files: ImageFiles, batches: list[list[tuple[int, int]]]) -> Iterator[StreamBatch]:
        return stream(files, batches, workers=self.workers, pin=self.mean.device.type == "cuda")

    def _to_device(self, batch: StreamBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From pinned memory the copy runs beside the computation."""
        images, labels, colours = (tensor.to(self.mean.device, non_blocking=True) for tensor in batch)
        return images.float() / 255.0, labels, colours


def _statistics(files: ImageFiles, workers: int) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))[:_STATISTICS_IMAGES].tolist()
    batches = [
        [(0, index) for index in chosen[start : start + _STATISTICS_BATCH]]
        for start in range(0, len(chosen), _STATISTICS_BATCH)
    ]
    total, squares, pixels = np.zeros(3), np.zeros(3), 0
    for images, _, _ in stream(files, batches, workers=workers):
        values = images.double() / 255.0
        total += values.sum((0, 2, 3)).numpy()
        squares += values.square().sum((0, 2, 3)).numpy()
        pixels += values.numel() // 3
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0.0))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32).clamp_min(1e-3)
