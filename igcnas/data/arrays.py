"""Arrays as people store images and labels, brought to the one form of dataset.py. `where` is what an error names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError


def to_uint8(images: NDArray[Any], where: str) -> tuple[NDArray[np.uint8], bool | None]:
    """The images as uint8, and whether they were floats in [0, 1]; None if they were no floats."""
    if images.dtype == np.uint8:
        return images, None
    if images.dtype.kind != "f" or images.size == 0:
        raise DataError(
            f"{where} is {images.dtype} of shape {images.shape}; store pixels as uint8 or float, at least one"
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 255):  # false for NaN too
        raise DataError(f"{where} has values in [{low:g}, {high:g}]; scale them to [0, 1] or [0, 255], without NaN")
    unit = high <= 1
    return np.rint(images.astype(np.float32, copy=False) * np.float32(255 if unit else 1)).astype(np.uint8), unit


def channels_first(images: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """Images as (n, channels, height, width)."""
    if images.ndim == 3:
        return images[:, None]
    first, last = (images.ndim == 4 and images.shape[axis] in (1, 3) for axis in (1, -1))
    if first == last:
        fault = "could be either of" if first else "is neither of"
        raise DataError(
            f"{where} has shape {images.shape}, which {fault} (n, 1 or 3, height, width) and (n, height, width, "
            "1 or 3); store it as one of them, or as (n, height, width)"
        )
    return images if first else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def to_int64(labels: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Labels as int64 (n,)."""
    if labels.dtype.kind not in "iu" or not (labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)):
        raise DataError(
            f"{where} is {labels.dtype} of shape {labels.shape}; store the number of each image's class, integers of "
            "shape (n,) or (n, 1)"
        )
    return labels.reshape(-1).astype(np.int64)
