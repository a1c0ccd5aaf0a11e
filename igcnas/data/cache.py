"""Decoded images on disk, so that the second load of an image folder takes no decoding.

The files may be deleted at any time. They lie in $IGCNAS_CACHE, else $XDG_CACHE_HOME/igcnas, else ~/.cache/igcnas.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igcnas.data.npz import read_arrays
from igcnas.errors import DataError, MachineError
from igcnas.files import make_folder, replacing

_LOGGER = logging.getLogger(__name__)


def cache_dir() -> Path:
    """Where decoded images are kept; the folder need not exist."""
    if own := os.environ.get("IGCNAS_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has a relative path ignored.
    base = Path(shared) if os.path.isabs(shared) else Path(os.path.expanduser("~/.cache"))
    return base / "igcnas"


def read_cached(key: str) -> NDArray[np.uint8] | None:
    """The uint8 array (n, channels, height, width) stored under `key`; None if there is none or it is damaged."""
    # zip rather than a bare .npy: its CRC-32 tells an array with a flipped bit from a whole one.
    try:
        (images,) = read_arrays(_path(key), ["images"])
    except DataError:
        return None
    return images if images.dtype == np.uint8 and images.ndim == 4 else None


def write_cached(key: str, images: NDArray[np.uint8]) -> None:
    """Stores the array under `key`, whole or not at all. A folder that cannot be written is logged, never an error."""
    path = _path(key)
    try:
        make_folder(path.parent)
        with replacing(path) as temporary:
            np.savez(temporary, images=images)
    except MachineError as error:
        _LOGGER.warning("decoded images are not kept, the next run decodes again: %s", error)


def _path(key: str) -> Path:
    return cache_dir() / f"{key}.npz"
