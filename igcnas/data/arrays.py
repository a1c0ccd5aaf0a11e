"""Arrays as people store images and labels, brought to the one form of dataset.py. `where` is what an error names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError

_MOST_LABEL = 1_000_000  # a class needs an image; more classes are numbers of something else


def to_uint8(images: NDArray[Any], where: str) -> tuple[NDArray[np.uint8], bool | None]:
    """The images as uint8, and whether they were floats in [0, 1]; None if they were no floats."""
    if images.size == 0:
        raise DataError(f"{where} has shape {images.shape}, which holds no pixel; store at least one image")
    if images.dtype == np.uint8:
        return images, None
    if images.dtype.kind != "f":
        raise DataError(
            f"{where} is {_name(images.dtype)} of shape {images.shape}; store pixels as uint8 or float"
            + _integers(images)
        )
    if np.isnan(images).any():
        raise DataError(f"{where} holds NaN, in {_holding(np.isnan(images))}; store every pixel, from 0 to 255")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{where} has values in [{low:g}, {high:g}]; scale them to [0, 1] or [0, 255], without infinities"
        )
    unit = high <= 1
    return np.rint(images.astype(np.float32, copy=False) * np.float32(255 if unit else 1)).astype(np.uint8), unit


def channels_first(images: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """Images as (n, channels, height, width), in the order of memory."""
    if images.ndim == 3:
        return np.ascontiguousarray(images[:, None])
    first, last = (images.ndim == 4 and images.shape[axis] in (1, 3) for axis in (1, -1))
    if first == last:
        fault = "could be either of" if first else "is neither of"
        raise DataError(
            f"{where} has shape {images.shape}, which {fault} (n, 1 or 3, height, width) and (n, height, width, "
            f"1 or 3); store it as one of them, or as (n, height, width){_hint(images)}"
        )
    return np.ascontiguousarray(images if first else images.transpose(0, 3, 1, 2))


def to_int64(labels: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Labels as int64 (n,)."""
    single = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
    if labels.dtype.kind not in "iu" or not single:
        raise DataError(
            f"{where} is {_name(labels.dtype)} of shape {labels.shape}; store the number of each image's class, "
            f"integers of shape (n,) or (n, 1){_way(labels, single)}"
        )
    # before the conversion, which would show 2^64 - 1 as -1
    if labels.size and int(labels.max()) >= _MOST_LABEL:
        raise DataError(f"{where} has a label {int(labels.max())}; number the classes 0, 1, 2, ...")
    if labels.size and int(labels.min()) < 0:
        raise DataError(f"{where} has a label {int(labels.min())}, which is negative; number the classes from 0")
    return labels.reshape(-1).astype(np.int64)


def equal_planes(images: NDArray[np.uint8]) -> bool:
    """Whether three channels are equal in every pixel: then the images are grey."""
    return images.shape[1] == 3 and all(
        np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2]) for image in images
    )


def luminance(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One channel of three, weighed as Pillow does (ITU-R 601-2)."""
    weights = np.array([19595, 38470, 7471], dtype=np.uint32)
    grey = np.empty((len(images), 1, *images.shape[2:]), dtype=np.uint8)
    for i, image in enumerate(images):
        grey[i, 0] = ((image * weights[:, None, None]).sum(0) + 0x8000) >> 16
    return grey


def _integers(images: NDArray[Any]) -> str:
    if images.dtype.kind == "b":
        return " (x.astype('uint8') * 255)"
    if images.dtype.kind in "iu":
        low, high = int(images.min()), int(images.max())
        return " (x.astype('uint8'))" if low >= 0 and high <= 255 else f" (its values reach from {low} to {high})"
    return ""


def _holding(wrong: NDArray[np.bool_]) -> str:
    images = np.flatnonzero(wrong.reshape(len(wrong), -1).any(1))
    return f"{len(images):,} of {len(wrong):,} images, the first number {images[0]}"


def _hint(images: NDArray[Any]) -> str:
    if images.ndim == 2:
        return "; this looks like one row of pixels an image: x.reshape(n, height, width)"
    if images.ndim == 4 and 4 in (images.shape[1], images.shape[-1]):
        return "; four channels with alpha: leave it out, x[..., :3]"
    if images.ndim == 4 and 2 in (images.shape[1], images.shape[-1]):
        return "; two channels, grey with alpha: leave it out, x[..., 0]"
    return ""


def _way(labels: NDArray[Any], single: bool) -> str:
    """How labels of another kind become numbers."""
    if labels.dtype.kind in "US" and single:
        return "; of texts: np.unique(y, return_inverse=True)[1]"
    if labels.dtype.kind == "b" and single:
        return "; of truth values: y.astype('int64')"
    if labels.dtype.kind == "f" and single:
        if not np.isfinite(labels).all():
            return f"; {int((~np.isfinite(labels)).sum()):,} of them are NaN or infinite"
        whole = bool((labels == np.rint(labels)).all())
        return "; these are whole: y.astype('int64')" if whole else "; these are fractions, no classes"
    if labels.dtype.kind in "iufb" and labels.ndim == 2 and labels.shape[1] > 1:
        numbers = labels.astype(np.float64)
        if ((numbers == 0) | (numbers == 1)).all() and (numbers.sum(1) == 1).all():
            return "; these are one-hot: y.argmax(1)"
    return ""


def _name(dtype: np.dtype[Any]) -> str:
    """A structured type may be thousands of letters long."""
    text = str(dtype)
    return text if len(text) <= 40 else f"{text[:40]}..."
