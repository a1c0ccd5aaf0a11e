"""Arrays of images in one .npz file, as numpy.savez writes it.

Keys: x_train, y_train and x_test, y_test; or train_images, train_labels and test_images, test_labels. val_images with
val_labels (x_val with y_val) join the training data, of which a study cuts its own validation split. Without a test
split a fixed stratified 20 % of the training data is held out. Arrays of Python objects are refused: reading one may
run code.
"""

from __future__ import annotations

import functools
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.data.arrays import channels_first, to_int64, to_uint8
from igcnas.data.dataset import Dataset, Split, check_test_split, held_out_indices, take
from igcnas.errors import DataError

_KEYS = (
    {part: (f"x_{part}", f"y_{part}") for part in ("train", "val", "test")},
    {part: (f"{part}_images", f"{part}_labels") for part in ("train", "val", "test")},
)
# What reading a damaged .npz raises, depending on where the damage lies.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file and the keys (images, labels) of those splits that it has."""

    file: Path
    keys: dict[str, tuple[str, str]]


def load_npz(file: Path) -> Dataset:
    """The data set in a .npz file, its classes numbered from 0.

    Images are (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w), uint8 or floats in [0, 1] or [0, 255] (rounded to
    uint8); labels are integers (n,) or (n, 1), each of 0..k - 1 present. Only colour images are mirrored in training:
    grey ones are often digits or letters. DataError for anything else. Test arrays are read when `load_test` is called.
    """
    source = _open(file)
    train, unit = _read_training(source)
    present = np.unique(train.labels)
    num_classes = int(present[-1]) + 1
    if len(present) != num_classes:
        absent = np.flatnonzero(present != np.arange(len(present)))[0]
        raise DataError(
            f"no image of {str(file)!r} has label {absent}, yet labels reach {present[-1]}; number them 0..k-1"
        )
    if "test" not in source.keys:
        train = take(train, held_out_indices(train.labels)[0])
    channels, height = train.images.shape[1:3]
    return Dataset(
        name=file.stem,
        classes=tuple(str(label) for label in range(num_classes)),
        train=train,
        load_test=functools.partial(_load_test, source, unit, train.images.shape[1:], num_classes),
        flip=channels == 3,
        pad=height // 8,
    )


def read_arrays(file: Path, keys: Sequence[str]) -> list[NDArray[Any]]:
    """The arrays of these keys in a .npz file. DataError if one is absent or damaged, or holds Python objects."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            return [stored[key] for key in keys]
    except _DAMAGE as error:
        raise _unreadable(file, error) from error


def _load_test(source: _Source, unit: bool | None, input_shape: tuple[int, ...], num_classes: int) -> Split:
    if "test" not in source.keys:
        everything, _ = _read_training(source)
        return take(everything, held_out_indices(everything.labels)[1])
    test, _ = _read_split(source, "test", unit)
    return check_test_split(test, input_shape=input_shape, num_classes=num_classes, where=str(source.file))


def _open(file: Path) -> _Source:
    """Finds which splits the file has, without reading an array. DataError unless it has a whole training split."""
    try:
        stored = np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        raise _unreadable(file, error) from error
    if not isinstance(stored, np.lib.npyio.NpzFile):
        raise DataError(f"{str(file)!r} holds one bare array; store images and labels with numpy.savez")
    with stored:
        names = set(stored.files)
    for scheme in _KEYS:
        if names.isdisjoint(scheme["train"]):
            continue
        for images, labels in scheme.values():
            if (images in names) != (labels in names):
                present, absent = (images, labels) if images in names else (labels, images)
                raise DataError(f"{str(file)!r} has {present!r} without {absent!r}; store both")
        return _Source(file=file, keys={part: pair for part, pair in scheme.items() if pair[0] in names})
    wanted = " nor ".join(", ".join(scheme["train"]) for scheme in _KEYS)
    raise DataError(
        f"{str(file)!r} has neither {wanted} but {', '.join(sorted(names)) or 'nothing'}; rename its arrays"
    )


def _read_training(source: _Source) -> tuple[Split, bool | None]:
    """Training data, validation data joined, and whether their floats are in [0, 1]; None for integers."""
    train, unit = _read_split(source, "train", None)
    if "val" not in source.keys:
        return train, unit
    val, _ = _read_split(source, "val", unit)
    if val.images.shape[1:] != train.images.shape[1:]:
        raise DataError(
            f"{source.keys['val'][0]!r} of {str(source.file)!r} has images {val.images.shape[1:]}, the training images "
            f"are {train.images.shape[1:]} (channels, height, width); store both in one form"
        )
    images = np.concatenate([train.images, val.images])
    return Split(images=images, labels=np.concatenate([train.labels, val.labels])), unit


def _read_split(source: _Source, part: str, unit: bool | None) -> tuple[Split, bool | None]:
    """One split, and whether its floats are in [0, 1]; `unit` is the answer of the training data, if they were floats.

    Floats of two splits must have one range: read as [0, 255], an image of [0, 1] would be black.
    """
    keys = source.keys[part]
    images, labels = read_arrays(source.file, keys)
    where = f"{keys[0]!r} of {str(source.file)!r}"
    pixels, found = to_uint8(images, where)
    if unit is not None and found is not None and found != unit:
        ranges = {True: "[0, 1]", False: "[0, 255]"}
        raise DataError(
            f"{where} has values in {ranges[found]}, the training images in {ranges[unit]}; scale both alike"
        )
    split = Split(images=channels_first(pixels, where), labels=to_int64(labels, f"{keys[1]!r} of {str(source.file)!r}"))
    return split, found


def _unreadable(file: Path, error: BaseException) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"no file {str(file)!r}; pass a file written by numpy.savez as npz:FILE")
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(
        f"{str(file)!r} is truncated, no .npz, or holds Python objects ({reason}); store plain arrays anew"
    )
