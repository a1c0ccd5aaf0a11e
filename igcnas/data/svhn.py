"""Street View House Numbers, cropped digits, in the .mat files their authors distribute.

train_32x32.mat and test_32x32.mat, and extra_32x32.mat, with which papers train on 604,388 images. Each holds X, uint8
(32, 32, 3, n), and y, (n, 1), with 10 for the digit 0. Data: Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading digits in
natural images with unsupervised feature learning", 2011.
"""

from __future__ import annotations

import functools
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.data.bounds import check_memory, check_ratio
from igcnas.data.dataset import Dataset, Split, check_labels, check_test_split
from igcnas.data.origin import Origin
from igcnas.errors import DataError

_SHAPE = (3, 32, 32)
_CLASSES = 10
_MOST = 1_000_000  # images of one file; the largest has 531,131
_TRAIN = {"svhn": ("train_32x32.mat",), "svhn-extra": ("train_32x32.mat", "extra_32x32.mat")}
_TEST = "test_32x32.mat"
# What scipy raises on a damaged or foreign file, depending on where the damage lies; versions from 7.3 are HDF5.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    MemoryError,
    OverflowError,
    struct.error,
    zlib.error,
)


def load_svhn(name: str, data_dir: Path) -> Dataset:
    """The data set 'svhn', or 'svhn-extra' with the easier images beside, from the .mat files in this folder.

    A mirrored digit is another one, so none is mirrored in training. DataError if a file is missing or damaged. The
    test split is read when `load_test` is called.
    """
    missing = [file for file in (*_TRAIN[name], _TEST) if not (data_dir / file).is_file()]
    if missing:
        raise DataError(f"{str(data_dir)!r} lacks {', '.join(missing)} of {name}; download them there, unchanged")
    parts = [_read(data_dir / file) for file in _TRAIN[name]]
    train = parts[0] if len(parts) == 1 else _joined(parts)
    return Dataset(
        name=name,
        classes=tuple(str(digit) for digit in range(_CLASSES)),
        train=train,
        load_test=functools.partial(_load_test, data_dir / _TEST),
        flip=False,
        pad=_SHAPE[1] // 8,
        origin=Origin(train=", ".join(_TRAIN[name]), test=_TEST),
    )


def _load_test(file: Path) -> Split:
    return check_test_split(_read(file), input_shape=_SHAPE, num_classes=_CLASSES, where=str(file))


def _joined(parts: list[Split]) -> Split:
    return Split(
        images=np.concatenate([part.images for part in parts]), labels=np.concatenate([part.labels for part in parts])
    )


def _read(file: Path) -> Split:
    """The images and labels of one file."""
    images, labels = _arrays(file)
    digits = labels.reshape(-1).astype(np.int64)
    digits[digits == _CLASSES] = 0
    check_labels(digits, num_classes=_CLASSES, where=str(file))
    return Split(images=np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels=digits)


def _arrays(file: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """X and y. Their shapes and kinds are looked at first, so that a small file cannot unpack into a large one."""
    from scipy import io

    damage = (*_DAMAGE, io.matlab.MatReadError)
    try:
        found = {name: (tuple(shape), kind) for name, shape, kind in io.whosmat(file, appendmat=False)}
    except damage as error:
        raise _unreadable(file, error) from error
    shapes = {name: shape for name, (shape, _) in found.items()}
    _check(file, shapes)
    _check_room(file, images=shapes["X"][3], kind=found["X"][1])
    try:
        stored = io.loadmat(file, variable_names=("X", "y"), appendmat=False)
        images, labels = stored["X"], stored["y"]
    except damage as error:
        raise _unreadable(file, error) from error
    if images.shape != shapes["X"] or labels.shape != shapes["y"]:
        raise DataError(f"{str(file)!r} holds other shapes than it says; download it again")
    if images.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.number) or (labels % 1 != 0).any():
        raise DataError(f"{str(file)!r} holds {images.dtype} images and {labels.dtype} labels, not those of SVHN")
    return images, labels


def _unreadable(file: Path, error: Exception) -> DataError:
    said = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"cannot read {str(file)!r}: {said}; download it again")


def _check(file: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """DataError unless the file says that it holds X, (32, 32, 3, n), and y, n labels."""
    if not {"X", "y"} <= set(shapes):
        raise DataError(f"{str(file)!r} holds {sorted(shapes) or 'nothing'}, not X and y; is it of the 32x32 format?")
    images, labels = shapes["X"], shapes["y"]
    expected = (_SHAPE[1], _SHAPE[2], _SHAPE[0])
    if len(images) != 4 or tuple(images[:3]) != expected or tuple(labels) not in ((images[3], 1), (1, images[3])):
        raise DataError(f"{str(file)!r} has X of shape {images} and y of {labels}, not (32, 32, 3, n) and (n, 1)")
    if not 0 < images[3] <= _MOST:
        raise DataError(
            f"{str(file)!r} says that it holds {images[3]:,} images; at most {_MOST:,} are read, at least 1"
        )


def _check_room(file: Path, *, images: int, kind: str) -> None:
    """DataError where X is not of bytes, or is more of them than the file can hold or the memory take."""
    if kind != "uint8":
        raise DataError(f"{str(file)!r} holds {kind} images, not those of SVHN")
    declared = images * math.prod(_SHAPE)
    check_ratio(file.stat().st_size, declared, repr(str(file)))
    # As they are read, and once more with the channels in front.
    check_memory(2 * declared, f"the images of {str(file)!r} take", "free some, or take svhn without its extra images")
