"""Images as Optuna's PyTorch example and pytorch-cifar read them: one by one through PIL, in loader processes.

torchvision is not needed to do what its transforms do: crop after padding with zeros, mirror, to a float tensor,
normalise; the same calls on an image, in the same order (torchvision.transforms, v1).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from benchmarks.speed.machine import children_mb
from benchmarks.speed.stock import Batch
from igcnas.data.dataset import Split
from igcnas.training.tensors import TrainingData

# pytorch-cifar evaluates in batches of 100 in two processes.
_EVALUATION_BATCH = 100


class Images(Dataset[tuple[torch.Tensor, int]]):
    """(image, label): float32 (C, H, W), normalised; cropped and mirrored at random if `augments`."""

    def __init__(
        self, split: Split, *, mean: tuple[float, ...], std: tuple[float, ...], pad: int, flip: bool, augments: bool
    ) -> None:
        self.pixels = np.ascontiguousarray(split.images.transpose(0, 2, 3, 1))
        self.labels = split.labels.tolist()
        self.mean, self.std, self.pad, self.flip, self.augments = mean, std, pad, flip, augments

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pixels = self.pixels[index]
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        if self.augments:
            image = self._augmented(image)
        return self._normalised(image), self.labels[index]

    def _augmented(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        if self.pad:
            image = ImageOps.expand(image, border=self.pad, fill=0)
            top = int(torch.randint(0, 2 * self.pad + 1, size=(1,)).item())
            left = int(torch.randint(0, 2 * self.pad + 1, size=(1,)).item())
            image = image.crop((left, top, left + width, top + height))
        if self.flip and torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image

    def _normalised(self, image: Image.Image) -> torch.Tensor:
        array = torch.from_numpy(np.array(image, copy=True)).view(image.size[1], image.size[0], -1)
        tensor = array.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        mean = torch.as_tensor(self.mean, dtype=torch.float32).view(-1, 1, 1)
        std = torch.as_tensor(self.std, dtype=torch.float32).view(-1, 1, 1)
        return tensor.clone().sub_(mean).div_(std)


class LoaderBatches:
    """Batches for `stock.train` from loader processes.

    loaders: their number, 0 for none. tuned: they stay from epoch to epoch, and the batches are in pinned memory.
    """

    def __init__(
        self, data: TrainingData, batch_size: int, device: torch.device, *, loaders: int, tuned: bool = False
    ) -> None:
        self.device, self.tuned, self.others_mb = device, tuned, 0.0
        mean, std = tuple(data.mean.tolist()), tuple(data.std.tolist())

        def images(of: object, augments: bool) -> Images:
            pixels, labels = of.images.cpu().numpy(), of.labels.cpu().numpy()  # type: ignore[attr-defined]
            split = Split(images=pixels, labels=labels)
            return Images(split, mean=mean, std=std, pad=data.pad, flip=data.flip, augments=augments)

        train = images(data.training, True)
        common = {
            "num_workers": loaders,
            "persistent_workers": tuned and loaders > 0,
            "pin_memory": tuned and device.type == "cuda",
        }
        size = min(batch_size, len(train))
        self.train = DataLoader(train, size, shuffle=True, drop_last=True, **common)  # type: ignore[arg-type]
        self.validate = DataLoader(images(data.validation, False), _EVALUATION_BATCH, **common)  # type: ignore[arg-type]

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self.train)

    def training(self, epoch: int) -> Iterable[Batch]:
        """An epoch in random order; the seed of the training orders it."""
        return self._moved(self.train)

    def validation(self) -> Iterable[Batch]:
        """All validation images."""
        return self._moved(self.validate)

    def _moved(self, loader: DataLoader[tuple[torch.Tensor, int]]) -> Iterable[Batch]:
        for number, (images, labels) in enumerate(loader):
            if number == 1 and not self.others_mb:
                self.others_mb = children_mb()  # once: reading it takes milliseconds
            yield (
                images.to(self.device, non_blocking=self.tuned),
                labels.to(self.device, non_blocking=self.tuned),
            )
