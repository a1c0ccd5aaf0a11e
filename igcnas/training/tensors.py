"""A data set resident on the device as uint8, and its batches: crop, flip and normalisation as batched operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from igcnas.data.augmentation import DRAWS, Augmentation, random_window
from igcnas.data.dataset import Dataset, Split
from igcnas.training.augment import crop, erase, jitter, padded, resize_windows
from igcnas.training.distributed import ALONE, World
from igcnas.training.recipes import recipe_for
from igcnas.training.settings import TrainingSettings
from igcnas.training.source import Batches

EVALUATION_BATCH = 500


def _compiled_gather() -> Callable[..., torch.Tensor] | None:
    """The pass over the bytes of a batch on a CPU; None where numba is missing, and torch makes the same batches."""
    try:
        from igcnas.execution.cpu.gather import gather
    except ImportError:
        return None
    return gather


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """What is random in an epoch, on the CPU: order (n,), and for each image its offsets (2, n), whether it is mirrored
    (n,), where its window is (n, DRAWS), its colours (n, 4) and what is erased (n, 2); None for what is not asked for.
    """

    order: torch.Tensor
    offsets: torch.Tensor
    mirrored: torch.Tensor | None
    places: torch.Tensor | None
    colours: torch.Tensor | None
    erased: torch.Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Training and validation images on the device; a Source for the engine.

    mean and std, one for each channel, are of the training part, on the scale [0, 1]. flip and pad are what the data
    allow and suggest; the augmentation may ask for less, or for another pad.
    """

    training: ImageTensors
    validation: ImageTensors
    num_classes: int
    mean: torch.Tensor
    std: torch.Tensor
    flip: bool
    pad: int
    augmentation: Augmentation = field(default_factory=Augmentation)

    @staticmethod
    def of(dataset: Dataset, settings: TrainingSettings, device: torch.device) -> TrainingData:
        """Split as a search does, move, and measure the statistics."""
        fraction, seed = settings.validation_fraction, settings.seed
        augmentation = recipe_for(settings).augmentation
        return TrainingData.split(dataset, device, fraction=fraction, seed=seed, augmentation=augmentation)

    @staticmethod
    def split(
        dataset: Dataset, device: torch.device, *, fraction: float | None, seed: int, augmentation: Augmentation
    ) -> TrainingData:
        """Put the data's own validation split aside, else a fraction of each class (None: nothing); move; measure."""
        if fraction is None:
            training, validation = dataset.train, None
        else:
            training, validation = dataset.split(fraction=fraction, seed=seed)
        pixels = training.images.reshape(*training.images.shape[:2], -1)
        mean = torch.tensor(pixels.mean((0, 2)) / 255.0, dtype=torch.float32)
        std = torch.tensor(pixels.std((0, 2)) / 255.0, dtype=torch.float32).clamp_min(1e-3)
        on_device = ImageTensors.of(training, device)
        nothing = ImageTensors(on_device.images[:0], on_device.labels[:0])
        return TrainingData(
            training=on_device,
            validation=nothing if validation is None else ImageTensors.of(validation, device),
            num_classes=dataset.num_classes,
            mean=mean.to(device),
            std=std.to(device),
            flip=dataset.flip,
            pad=dataset.pad,
            augmentation=augmentation,
        )

    def normalize(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """uint8 to float32 of about zero mean and unit variance."""
        scaled = images_BCHW.float() / 255.0
        return (scaled - self.mean[:, None, None]) / self.std[:, None, None]

    def _levels(self) -> torch.Tensor:
        """What each of the 256 levels of each channel is normalised to: (channels, 256)."""
        channels = len(self.mean)
        return (
            self.normalize(torch.arange(256).view(256, 1, 1, 1).expand(256, channels, 1, 1))[:, :, 0, 0]
            .t()
            .contiguous()
        )

    def class_images(self) -> list[int]:
        """Training images of each class."""
        counts: list[int] = torch.bincount(self.training.labels.cpu(), minlength=self.num_classes).tolist()
        return counts

    def steps(self, batch_size: int) -> int:
        """Batches of an epoch."""
        return max(1, len(self.training) // batch_size)

    @property
    def padding(self) -> int:
        """Pixels on each side of a training image before its window is cut."""
        if self.augmentation.crop != "pad":
            return 0
        return self.pad if self.augmentation.pad is None else self.augmentation.pad

    @property
    def flips(self) -> bool:
        """Whether training images are mirrored."""
        return self.flip and self.augmentation.flip

    def draws(self, seed: int) -> Draws:
        """The random numbers of an epoch."""
        count, generator = len(self.training), torch.Generator().manual_seed(seed)
        windows = self.augmentation.crop in ("area", "short-side")
        return Draws(
            order=torch.randperm(count, generator=generator),
            offsets=torch.randint(2 * self.padding + 1, (2, count), generator=generator),
            mirrored=torch.rand(count, generator=generator) < 0.5 if self.flips else None,
            places=torch.rand(count, DRAWS, generator=generator) if windows else None,
            colours=torch.rand(count, 4, generator=generator) if any(self.augmentation.jitter) else None,
            erased=torch.rand(count, 2, generator=generator) if self.augmentation.erase else None,
        )

    def epoch(self, batch_size: int, seed: int, *, first: int = 0, world: World = ALONE) -> Batches:
        """Augmented float batches in random order; the last, incomplete one is left out unless it is the only one.

        All random numbers of the epoch come from the seed, on the CPU, so that every device sees the same batches and a
        resumed training needs no state of a generator. They travel to the device once. An epoch may start at the batch
        `first`; of each batch a process takes its part.
        """
        device, count = self.training.images.device, len(self.training)
        batch_size = min(batch_size, count)
        part = world.part(batch_size)
        draws = self.draws(seed)
        order, offsets = draws.order.to(device), draws.offsets.to(device)
        mirrored = None if draws.mirrored is None else draws.mirrored.to(device)
        places = None if draws.places is None else draws.places.tolist()
        colours = None if draws.colours is None else draws.colours.to(device)
        erased = None if draws.erased is None else draws.erased.to(device)
        size = self.training.images.shape[2:]
        fill = self.mean if self.augmentation.fill == "mean" else None
        base = padded(self.training.images, self.padding, fill)
        plain = device.type == "cpu" and places is None and colours is None and erased is None
        gather = _compiled_gather() if plain else None
        levels = None if gather is None else self._levels()
        for start in range(first * batch_size, count - batch_size + 1, batch_size):
            begin = start + world.rank * part
            chosen = order[begin : begin + part]
            flip = mirrored[chosen] if mirrored is not None else None
            if gather is not None:
                yield gather(base, chosen, offsets[:, chosen], flip, size, levels), self.training.labels[chosen]
                continue
            if places is not None:
                boxes = [random_window(self.augmentation, size[1], size[0], places[index]) for index in chosen.tolist()]
                images = resize_windows(base[chosen], torch.tensor(boxes, device=device), flip)
            else:
                images = crop(base, chosen, offsets[:, chosen], flip, size)
            if colours is not None:
                images = 255.0 * jitter(images.float() / 255.0, colours[chosen], self.augmentation.jitter)
            images = self.normalize(images)
            if erased is not None:
                images = erase(images, erased[chosen], self.augmentation.erase)
            yield images, self.training.labels[chosen]

    def training_images(self) -> int:
        """How many there are to train on."""
        return len(self.training)

    def validates(self) -> bool:
        """Whether images were put aside."""
        return len(self.validation) > 0

    def validation_images(self) -> int:
        """Number of validation images."""
        return len(self.validation)

    def validation_batches(self, *, world: World = ALONE) -> Batches:
        """Normalised validation images."""
        return self.batches_of(self.validation, world=world)

    def batches_of(self, images: ImageTensors, *, world: World = ALONE) -> Batches:
        """Normalised batches, in order, of any images on the device; the part of this process."""
        for start in range(world.rank * EVALUATION_BATCH, len(images), world.size * EVALUATION_BATCH):
            stop = start + EVALUATION_BATCH
            yield self.normalize(images.images[start:stop]), images.labels[start:stop]
