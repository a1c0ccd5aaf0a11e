"""One picture file opened with Pillow, and what is wrong with one that cannot be.

Of several frames the first counts. Colour profiles are not applied. More than 8 bits a pixel is an error, for nobody
knows which of the bits matter. Only the formats of `FORMATS` are opened: others may run programs. What is done to an
opened picture says preparation.py.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from igcnas.data.preparation import open_picture
from igcnas.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

# What Pillow's decoders raise on damaged files, depending on the format.
_DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
_HERE = threading.local()


class BadPictureError(DataError):
    """A file that gives no picture; `reason` says why, in a few words. message: the line, where it is another."""

    def __init__(self, path: str, reason: str, message: str | None = None) -> None:
        usual = f"{path!r} cannot be decoded ({reason}); replace or remove it, or leave it out with --skip-bad"
        super().__init__(usual if message is None else message)
        self.path, self.reason = path, reason


@contextmanager
def opened(path: str, content: BinaryIO | None = None) -> Iterator[Image.Image]:
    """The image of a file, opened but not decoded; whatever is wrong with it is a BadPictureError.

    content: what is read in place of the file; the path is what messages call it.
    """
    from PIL import Image, UnidentifiedImageError

    _HERE.path = path
    try:
        if (os.path.getsize(path) if content is None else content.seek(0, os.SEEK_END)) == 0:
            raise BadPictureError(path, "the file is empty")
        if content is not None:
            content.seek(0)
        with open_picture(path if content is None else content) as image:
            yield image
    except BadPictureError:
        raise
    except UnidentifiedImageError as error:
        raise BadPictureError(path, "no picture, or of an unknown format") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise BadPictureError(path, f"it declares more than {most:,} pixels, make it smaller") from error
    except _DAMAGE as error:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error).replace(path, "")
        reason = " ".join(text.split()) or type(error).__name__
        raise BadPictureError(path, reason) from error


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether red, green and blue are equal in every pixel (height, width, 3)."""
    first = pixels[..., 0]
    return bool((first == pixels[..., 1]).all() and (first == pixels[..., 2]).all())


@contextmanager
def remarks() -> Iterator[list[tuple[str, str]]]:
    """File and text of what Pillow warns of in the block, in all threads, instead of raw lines on the terminal."""
    found: list[tuple[str, str]] = []

    def note(message: Warning | str, *_: object, **__: object) -> None:
        found.append((getattr(_HERE, "path", ""), " ".join(str(message).split())))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield found
