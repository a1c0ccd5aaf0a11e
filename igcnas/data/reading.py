"""Pictures as the arrays that a network takes: from paths, from bytes, or from what Python programs hold.

Convention: uint8 (channels, height, width), by the preparation of the network, so the same pixels as in its training.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from igcnas.data.listing import EXTENSIONS
from igcnas.data.picture import BadPictureError, opened
from igcnas.data.preparation import Preparation
from igcnas.errors import DataError
from igcnas.units import counted

if TYPE_CHECKING:
    from PIL import Image

# A path, the bytes of a file, a PIL image, or uint8 pixels (height, width) or (height, width, 1, 3 or 4).
Picture: TypeAlias = Union[str, Path, bytes, "Image.Image", NDArray[np.uint8]]


def read_picture(picture: Picture, preparation: Preparation) -> NDArray[np.uint8]:
    """What the network takes; BadPictureError for a file that gives no picture, DataError for another object."""
    if preparation.channels not in (1, 3):
        raise DataError(
            f"this network takes images of {preparation.channels} channels, which no picture has; give it arrays"
        )
    if isinstance(picture, str | Path):
        path = os.fspath(picture)
        try:
            with opened(path) as image:
                return _pixels(image, preparation)
        except BadPictureError as error:
            raise _of_file(path, error) from error
    if isinstance(picture, bytes):
        try:
            with opened("-", io.BytesIO(picture)) as image:
                return _pixels(image, preparation)
        except BadPictureError as error:
            text = f"{counted(len(picture), 'byte')} cannot be read as a picture ({error.reason}); give another"
            raise BadPictureError("-", error.reason, text) from error
    return _pixels(_image_of(picture), preparation)


def _of_file(path: str, error: BadPictureError) -> BadPictureError:
    """What is wrong with a file that was named by itself, where no other can be taken in its place."""
    if isinstance(error.__cause__, FileNotFoundError):
        return BadPictureError(path, "there is no such file", f"there is no file {path}; give the path of a picture")
    if os.path.isdir(path):
        return BadPictureError(path, "it is a folder", f"{path} is a folder; give its pictures one by one")
    return BadPictureError(path, error.reason, f"{path} cannot be read as a picture ({error.reason}); give another")


def picture_files(path: Path) -> Iterator[Path]:
    """The file itself; of a folder every picture file in it and in its subfolders, by name, but no hidden ones."""
    if not path.is_dir():
        yield path
        return
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(EXTENSIONS):
                yield Path(place, name)


def _pixels(image: Image.Image, preparation: Preparation) -> NDArray[np.uint8]:
    pixels = np.asarray(preparation.apply(image))
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planes)


def _image_of(picture: object) -> Image.Image:
    """A PIL image of what a program holds."""
    from PIL import Image

    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, np.ndarray):
        shape: Sequence[int] = picture.shape
        if picture.dtype == np.uint8 and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))):
            return Image.fromarray(picture[..., 0] if len(shape) == 3 and shape[2] == 1 else picture)
        raise DataError(
            f"a picture of {picture.dtype} {tuple(shape)} is not read; give uint8 (height, width) or (height, width, "
            "1, 3 or 4), or a batch of images as the network takes them"
        )
    raise DataError(f"a {type(picture).__name__} is no picture; give a path, bytes, a PIL image or a numpy array")
