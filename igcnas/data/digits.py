"""Handwritten digits: the 1,797 scans of 8x8 pixels which scikit-learn carries. No download, seconds to train on."""

from __future__ import annotations

import numpy as np

from igcnas.data.dataset import Dataset, Split, held_out_indices, take

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
    )


def _load_test() -> Split:
    return _read_part(test=True)


def _read_part(*, test: bool) -> Split:
    # Here, not on top: scikit-learn takes a second to import, which a search on other data need not wait for.
    from sklearn.datasets import load_digits as read_scans

    scans = read_scans()
    images = np.rint(scans.images * (255 / _WHITE)).astype(np.uint8)[:, None]
    everything = Split(images=images, labels=scans.target.astype(np.int64))
    train, held_out = held_out_indices(everything.labels)
    return take(everything, held_out if test else train)
