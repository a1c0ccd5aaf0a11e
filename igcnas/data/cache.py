"""Decoded images on disk, so that the second load of an image folder takes no decoding.

The files may be deleted at any time. They lie in one of the folders of igcnas.system.folders: IGCNAS_CACHE, else the
user's cache folder, else one under the temporary folder. All are read; the first that can be written is written.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from igcnas.data.npz import read_arrays
from igcnas.errors import DataError, MachineError
from igcnas.system import folders
from igcnas.system.files import replacing

_LOGGER = logging.getLogger(__name__)


def read_cached(key: str) -> tuple[NDArray[np.uint8], bytes] | None:
    """The uint8 array (n, channels, height, width) stored under `key`, and what was said of it; None if there is none
    or it is damaged.
    """
    # zip rather than a bare .npy: its CRC-32 tells an array with a flipped bit from a whole one.
    for folder in folders.caches():
        try:
            images, about = read_arrays(folder / f"{key}.npz", ["images", "about"])
        except DataError:
            continue
        if images.dtype == np.uint8 and images.ndim == 4:
            return images, about.tobytes()
    return None


def write_cached(key: str, images: NDArray[np.uint8], about: bytes) -> None:
    """Stores the array under `key`, whole or not at all. A folder that cannot be written is logged, never an error."""
    folder = folders.writable(folders.caches())
    if folder is None:
        _LOGGER.warning("decoded images are not kept, the next run decodes again: name a folder in IGCNAS_CACHE")
        return
    try:
        with replacing(folder / f"{key}.npz") as temporary:
            np.savez(temporary, images=images, about=np.frombuffer(about, np.uint8))
    except MachineError as error:
        _LOGGER.warning("decoded images are not kept, the next run decodes again: %s", error)
