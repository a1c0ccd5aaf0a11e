"""A data set: `--data bars`, 8x8 images of a bright bar on noise, four classes by its direction."""

from pathlib import Path

import numpy as np

from igcnas.data.dataset import Dataset, Split
from igcnas.data.origin import Origin

CLASSES = ("across", "down", "falling", "rising")


def load(place: Path | None, *, data_dir: Path | None) -> Dataset:
    """The data. place: the path in --data bars:PATH, data_dir: that of --data-dir; bars needs neither."""
    return Dataset(
        name="bars",
        classes=CLASSES,
        train=draw(240, seed=0),
        load_test=lambda: draw(80, seed=1),
        flip=False,
        pad=1,
        origin=Origin(train="drawn", test="drawn with another seed"),
    )


def draw(images: int, *, seed: int) -> Split:
    """So many images, the classes in turn; uint8 (n, channels, height, width) and int64 (n,)."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 100, (images, 1, 8, 8))
    labels = np.arange(images) % len(CLASSES)
    steps = np.arange(8)
    for image, label in zip(pixels, labels, strict=True):
        place = random.integers(2, 6)
        rows, columns = [(place, steps), (steps, place), (steps, steps), (steps, 7 - steps)][label]
        image[0, rows, columns] += 150
    return Split(images=pixels.astype(np.uint8), labels=labels.astype(np.int64))
