"""The data of a training: in memory, or streamed from a folder that memory would not hold; one way to ask for both."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from igcnas.data import Dataset, load_dataset
from igcnas.data.decoding import is_grey
from igcnas.data.listing import FolderListing, list_image_folder
from igcnas.errors import DataError
from igcnas.recipes import Augmentation
from igcnas.training.distributed import ALONE, World
from igcnas.training.source import Batches, Source
from igcnas.training.stream import StreamData
from igcnas.training.tensors import ImageTensors, TrainingData

# A folder whose decoded images are larger is streamed. In memory they lie twice: as they are, and padded.
MEMORY_LIMIT_GB = 4.0
_STREAM_SIZE = 224
_LOOKED_AT = 16  # files, to tell a folder of grey images


class RunData(Protocol):
    """A data set that a network can be trained on."""

    @property
    def streamed(self) -> bool:
        """Whether images are decoded while they are used."""
        ...

    @property
    def name(self) -> str:
        """Name for a caption."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        ...

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        ...

    @property
    def images(self) -> int:
        """How many there are to train and validate on."""
        ...

    def fingerprint(self) -> str:
        """16 hex digits that change when the training data do."""
        ...

    def source(
        self, device: torch.device, *, fraction: float | None, seed: int, augmentation: Augmentation, workers: int
    ) -> Source:
        """Training data, with this fraction of each class put aside for validation (None: nothing)."""
        ...

    def test_batches(self, source: Source, *, world: World = ALONE) -> Batches:
        """The test split, normalised as the source does; read when this is called."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """A data set in memory."""

    dataset: Dataset
    streamed: bool = False

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.dataset.classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.dataset.input_shape

    @property
    def images(self) -> int:
        """How many there are to train and validate on."""
        return len(self.dataset.train.labels)

    def fingerprint(self) -> str:
        """Of the pixels."""
        return self.dataset.fingerprint()

    def source(
        self, device: torch.device, *, fraction: float | None, seed: int, augmentation: Augmentation, workers: int
    ) -> TrainingData:
        """All images on the device."""
        del workers  # nothing is decoded
        return TrainingData.split(self.dataset, device, fraction=fraction, seed=seed, augmentation=augmentation)

    def test_batches(self, source: Source, *, world: World = ALONE) -> Batches:
        """The test split."""
        assert isinstance(source, TrainingData)
        return source.batches_of(ImageTensors.of(self.dataset.load_test(), source.mean.device), world=world)


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """An image folder that is decoded while it is used; images are RGB squares of `size` pixels."""

    folder: FolderListing
    size: int
    streamed: bool = True

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.root.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.folder.classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return 3, self.size, self.size

    @property
    def images(self) -> int:
        """How many there are to train and validate on."""
        return len(self.folder.train.labels)

    def fingerprint(self) -> str:
        """Of names, labels and sizes of the files: to read them all would take as long as an epoch."""
        digest = hashlib.sha256(json.dumps([self.size, *self.classes]).encode())
        train = self.folder.train
        for path, label, (size, _) in zip(train.paths, train.labels.tolist(), train.stamps, strict=True):
            digest.update(f"{Path(path).relative_to(self.folder.root).as_posix()}\0{label}\0{size}\n".encode())
        return digest.hexdigest()[:16]

    def source(
        self, device: torch.device, *, fraction: float | None, seed: int, augmentation: Augmentation, workers: int
    ) -> StreamData:
        """Files, and the processes that decode them. Grey images, often digits or letters, are not mirrored."""
        if all(is_grey(path) for path in self.folder.train.paths[:_LOOKED_AT]):
            augmentation = dataclasses.replace(augmentation, flip=False)
        return StreamData.split(
            self.folder,
            device,
            size=self.size,
            fraction=fraction,
            seed=seed,
            augmentation=augmentation,
            workers=workers,
        )

    def test_batches(self, source: Source, *, world: World = ALONE) -> Batches:
        """The test split."""
        assert isinstance(source, StreamData)
        return source.batches_of(source.test_files(self.folder.test), world=world)


def open_data(
    spec: str,
    *,
    data_dir: Path | None = None,
    image_size: int | None = None,
    stream: bool | None = None,
    memory_limit_gb: float = MEMORY_LIMIT_GB,
) -> RunData:
    """The data of a spec (see load_dataset).

    stream: True reads an image folder while training, False into memory, None into memory if its decoded images stay
    within the limit (known only with an image size). A streamed folder without an image size has 224 pixels.
    """
    kind, _, place = spec.partition(":")
    if kind == "imagefolder" and place and stream is not False:
        folder = list_image_folder(Path(place).expanduser())
        size = image_size
        decoded = 0 if size is None else 3 * size * size * len(folder.train.labels)
        if stream or decoded > memory_limit_gb * 1e9:
            return Streamed(folder, _STREAM_SIZE if size is None else size)
    elif stream:
        raise DataError(f"--stream does not apply to {spec!r}; it is for imagefolder:PATH, leave it out")
    return InMemory(load_dataset(spec, data_dir=data_dir, image_size=image_size))
