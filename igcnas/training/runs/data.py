"""The data of a training: in memory, or streamed from a folder that memory would not hold; one way to ask for both."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from igcnas.data.augmentation import Augmentation
from igcnas.data.dataset import Dataset, split_indices
from igcnas.data.examination import Examined, examine, largest_class
from igcnas.data.headers import all_grey, check_files, equal_files, without_bad
from igcnas.data.listing import FolderListing, check_classes, list_image_folder
from igcnas.data.loading import load_dataset
from igcnas.data.origin import together
from igcnas.data.splitting import split_notes
from igcnas.errors import DataError
from igcnas.training.distributed import ALONE, World
from igcnas.training.source import Batches, Source
from igcnas.training.stream import StreamData
from igcnas.training.tensors import ImageTensors, TrainingData

# A folder whose decoded images are larger is streamed. In memory they lie twice: as they are, and padded.
MEMORY_LIMIT_GB = 4.0
_STREAM_SIZE = 224


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

    @property
    def own_validation(self) -> int:
        """How many of them are the data's own validation split; 0: one is drawn."""
        ...

    def fingerprint(self) -> str:
        """16 hex digits that change when the training data do."""
        ...

    def examined(self, *, fraction: float, seed: int) -> Examined:
        """What is to be said of the data; DataError where the test split cannot be read."""
        ...

    def majority(self) -> tuple[str, float]:
        """The class that most training images have, and its share of them."""
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

    @property
    def own_validation(self) -> int:
        """How many of them are the data's own validation split."""
        return self.dataset.own_validation

    def fingerprint(self) -> str:
        """Of the pixels."""
        return self.dataset.fingerprint()

    def examined(self, *, fraction: float, seed: int) -> Examined:
        """Of the pixels."""
        return examine(self.dataset, fraction=fraction, seed=seed)

    def majority(self) -> tuple[str, float]:
        """Of all images but the test split."""
        label, share = largest_class(self.dataset.train.labels)
        return self.dataset.classes[label], share

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
        return self.folder.name

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

    @property
    def own_validation(self) -> int:
        """How many of them are the folder's own validation split."""
        return self.folder.own_validation

    def fingerprint(self) -> str:
        """Of names, labels and sizes of the files: to read them all would take as long as an epoch."""
        own = [self.own_validation] if self.own_validation else []
        digest = hashlib.sha256(json.dumps([self.size, *self.classes, *own]).encode())
        train = self.folder.train
        for path, label, (size, _) in zip(train.paths, train.labels.tolist(), train.stamps, strict=True):
            place = Path(path).relative_to(self.folder.root).as_posix()
            digest.update(os.fsencode(f"{place}\0{label}\0{size}\n"))
        if train.groups is not None:
            digest.update(np.ascontiguousarray(train.groups, dtype="<i8").data)
        return digest.hexdigest()[:16]

    def examined(self, *, fraction: float, seed: int) -> Examined:
        """Of the headers of the files, and their bytes."""
        folder = self.folder
        check_files(folder.train, folder.test)
        train, validation = folder.split(fraction=fraction, seed=seed)
        equal = equal_files(folder.test, folder.train)
        notes = folder.origin.notes
        if equal is None:
            notes += ("whether test images are among the training images too is not looked for, they are too many",)
        elif equal:
            notes += (f"{equal:,} test images are among the training or validation images too, byte for byte",)
        if folder.train.groups is not None and not self.own_validation:
            labels, what = folder.train.labels, "to validate on"
            _, leave = split_indices(labels, folder.train.groups, fraction=fraction, seed=seed)
            notes += split_notes(labels, leave, fraction=fraction, what=what, classes=folder.classes)
        return Examined(
            train=len(train.labels),
            validation=len(validation.labels),
            test=len(folder.test.labels),
            origin=folder.origin,
            left_out=folder.origin.left_out,
            notes=notes,
        )

    def majority(self) -> tuple[str, float]:
        """Of all images but the test split."""
        label, share = largest_class(self.folder.train.labels)
        return self.classes[label], share

    def source(
        self, device: torch.device, *, fraction: float | None, seed: int, augmentation: Augmentation, workers: int
    ) -> StreamData:
        """Files, and the processes that decode them. Grey images, often digits or letters, are not mirrored."""
        if all_grey(self.folder.train):
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
    skip_bad: bool = False,
    own_validation: bool = True,
    groups: str | None = None,
) -> RunData:
    """The data of a spec (see load_dataset).

    stream: True reads an image folder while training, False into memory, None into memory if its decoded images stay
    within the limit (known only with an image size). A streamed folder without an image size has 224 pixels.
    """
    kind, _, place = spec.partition(":")
    if kind == "imagefolder" and place and stream is not False:
        folder = list_image_folder(Path(place).expanduser(), own_validation=own_validation, groups=groups)
        size = image_size
        decoded = 0 if size is None else 3 * size * size * len(folder.train.labels)
        if stream or decoded > memory_limit_gb * 1e9:
            if len(folder.classes) < 2:
                raise DataError(
                    f"{folder.name!r} has one class, {folder.classes[0]!r}: every answer would be right; give images "
                    "of two classes at least"
                )
            return Streamed(_readable(folder) if skip_bad else folder, _STREAM_SIZE if size is None else size)
    elif stream:
        raise DataError(f"--stream does not apply to {spec!r}; it is for imagefolder:PATH, leave it out")
    return InMemory(
        load_dataset(
            spec,
            data_dir=data_dir,
            image_size=image_size,
            skip_bad=skip_bad,
            own_validation=own_validation,
            groups=groups,
        )
    )


def _readable(folder: FolderListing) -> FolderListing:
    """The folder without the files that cannot be decoded."""
    train, bad, said = without_bad(folder.train)
    test, _, said_of_test = without_bad(folder.test)
    first_own = len(folder.train.labels) - folder.own_validation
    own = folder.own_validation - sum(i >= first_own for i in bad)
    if folder.own_validation and not own:
        raise DataError(f"no image of {folder.origin.validation!r} can be decoded; replace them")
    check_classes(train.labels[: len(train.labels) - own], folder.classes, str(folder.root))
    left_out = together([*folder.origin.left_out, *said, *said_of_test])
    origin = dataclasses.replace(folder.origin, left_out=left_out)
    return dataclasses.replace(folder, train=train, test=test, own_validation=own, origin=origin)
