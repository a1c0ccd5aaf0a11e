"""Handwritten digits: the 1,797 scans of 8x8 pixels which scikit-learn carries. No download, seconds to train on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igcnas.data.dataset import Dataset, Split, held_out_indices, take
from igcnas.data.origin import Origin

_WHITE = 16  # scikit-learn's scans count the set bits in cells of 4x4, so a pixel is 0..16


def load_digits() -> Dataset:
    """The digits 0..9, images (1, 8, 8): 80 % to train on and a fixed stratified 20 % to test on, whatever the seed."""
    return Dataset(
        name="digits",
        classes=tuple("0123456789"),
        train=_read_part(test=False),
        load_test=_load_test,
        flip=False,  # a mirrored 2 is no digit
        pad=1,
        origin=Origin(train="scans of scikit-learn", test="20% of each class, the same for every seed"),
    )


def _load_test() -> Split:
    return _read_part(test=True)


def _scans() -> NDArray[np.float64]:
    """(1797, 65): the pixels of each scan and its label.

    The file itself: scikit-learn takes a second and 110 MB to import, and each worker of a search would.
    """
    package = find_spec("sklearn")
    file = Path(package.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if package else Path()
    if file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits as read_scans  # a version that keeps it elsewhere

    scans = read_scans()
    return np.column_stack([scans.data, scans.target])


def _read_part(*, test: bool) -> Split:
    scans = _scans()
    images = np.rint(scans[:, :-1].reshape(-1, 1, 8, 8) * (255 / _WHITE)).astype(np.uint8)
    everything = Split(images=images, labels=scans[:, -1].astype(np.int64))
    train, held_out = held_out_indices(everything.labels)
    return take(everything, held_out if test else train)
