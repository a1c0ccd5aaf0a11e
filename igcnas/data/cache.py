"""Decoded images on disk, so that the second load of an image folder takes no decoding.

The files may be deleted at any time. They lie in $IGCNAS_CACHE, else $XDG_CACHE_HOME/igcnas, else ~/.cache/igcnas.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igcnas.data.npz import read_arrays
from igcnas.errors import DataError

_LOGGER = logging.getLogger(__name__)


def cache_dir() -> Path:
    """Where decoded images are kept; the folder need not exist."""
    if own := os.environ.get("IGCNAS_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has a relative path ignored.
    base = Path(shared) if os.path.isabs(shared) else Path(os.path.expanduser("~/.cache"))
    return base / "igcnas"


def read_cached(key: str) -> tuple[NDArray[np.uint8], bytes] | None:
    """The uint8 array (n, channels, height, width) stored under `key`, and what was said of it; None if there is none
    or it is damaged.
    """
    # zip rather than a bare .npy: its CRC-32 tells an array with a flipped bit from a whole one.
    try:
        images, about = read_arrays(_path(key), ["images", "about"])
    except DataError:
        return None
    return (images, about.tobytes()) if images.dtype == np.uint8 and images.ndim == 4 else None


def write_cached(key: str, images: NDArray[np.uint8], about: bytes) -> None:
    """Stores the array under `key`, whole or not at all. A folder that cannot be written is logged, never an error."""
    path = _path(key)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{key}.", suffix=".tmp", delete=False) as file:
            temporary = file.name
            np.savez(file, images=images, about=np.frombuffer(about, np.uint8))
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        _LOGGER.warning("decoded images are not kept, the next run decodes again: %s", error)
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _path(key: str) -> Path:
    return cache_dir() / f"{key}.npz"
