"""What every variant trains on and how: one data set, one split, one schedule. Plain data, so that it can travel.

Data: digits; synthetic-cifar or synthetic-cifar:N, N made-up images (50,000) of the size of CIFAR's; synthetic-digits
or synthetic-digits:N, the same (1,797) of the size of the digits; cifar10:DIR, the distributed files; npz:FILE. The
made-up ones are ten smooth patterns in noise, so that networks learn and differ.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from igcnas.data.dataset import Dataset, Split
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError, unknown_name
from igcnas.training.recipes import short_settings
from igcnas.training.settings import TrainingSettings

KINDS = ("digits", "synthetic-cifar[:N]", "synthetic-digits[:N]", "cifar10:DIR", "npz:FILE")
# Channels, side, and how many images there are of each made-up kind.
_MADE_UP = {"synthetic-cifar": (3, 32, 50_000), "synthetic-digits": (1, 8, 1_797)}
_CLASSES = 10
_COARSE = 4  # cells of a pattern on a side


@dataclass(frozen=True)
class Workload:
    """Data by name, epochs, batch size, seed; everything else is as a search on such data has it."""

    data: str
    epochs: int
    batch_size: int
    seed: int = 0

    @cached_property
    def dataset(self) -> Dataset:
        """The images. Made-up ones are made once and kept in a file of the temporary folder for other processes."""
        kind, _, rest = self.data.partition(":")
        if kind in _MADE_UP:
            return _synthetic(kind, rest)
        if kind == "cifar10" and rest:
            return load_dataset("cifar10", data_dir=Path(rest))
        if kind in ("digits", "npz"):
            return load_dataset(self.data)
        raise DataError(unknown_name("data", self.data, KINDS))

    @property
    def settings(self) -> TrainingSettings:
        """The schedule that `igcnas search` has for so much data, with this batch size and so many epochs."""
        chosen = short_settings(len(self.dataset.train.labels), epochs=self.epochs, seed=self.seed)
        return dataclasses.replace(chosen, batch_size=self.batch_size)


def _count(kind: str, text: str) -> int:
    if not text:
        return _MADE_UP[kind][2]
    if not text.isdigit() or int(text) < 2 * _CLASSES:
        raise DataError(f"{kind}:{text}: a number of images from {2 * _CLASSES} up is expected")
    return int(text)


def _no_test() -> Split:
    raise DataError("made-up images have no test split; this is a benchmark of speed")


def _synthetic(kind: str, text: str) -> Dataset:
    channels, side, _ = _MADE_UP[kind]
    count = _count(kind, text)
    path = Path(tempfile.gettempdir()) / f"igcnas-{kind}-{count}.npy"
    labels = np.arange(count, dtype=np.int64) % _CLASSES
    images = np.load(path) if path.exists() else None
    if images is None or images.shape != (count, channels, side, side):
        images = synthetic_images(labels, channels=channels, side=side)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npy", delete=False) as file:
            np.save(file, images)
        Path(file.name).replace(path)

    return Dataset(
        name=kind,
        classes=tuple(map(str, range(_CLASSES))),
        train=Split(images=images, labels=labels),
        load_test=_no_test,
        flip=channels == 3,
        pad=side // 8,
    )


def synthetic_images(labels: np.ndarray, *, channels: int = 3, side: int = 32, seed: int = 0) -> np.ndarray:
    """uint8 (n, channels, side, side): the smooth pattern of the label, at a random strength, in noise."""
    draws = np.random.default_rng(seed)
    coarse = draws.normal(size=(_CLASSES, channels, _COARSE, _COARSE))
    patterns = coarse.repeat(side // _COARSE, 2).repeat(side // _COARSE, 3).astype(np.float32)
    images = np.empty((len(labels), channels, side, side), dtype=np.uint8)
    for start in range(0, len(labels), 1000):  # in parts: the noise of all would take gigabytes
        some = labels[start : start + 1000]
        strength = draws.uniform(4.0, 20.0, size=(len(some), 1, 1, 1)).astype(np.float32)
        noise = draws.normal(scale=40.0, size=(len(some), channels, side, side)).astype(np.float32)
        images[start : start + 1000] = np.clip(128.0 + strength * patterns[some] + noise, 0, 255)
    return images
