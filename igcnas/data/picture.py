"""One picture file as upright RGB pixels of 8 bits, with Pillow.

Turned as its EXIF orientation says. Transparency lies on white, and a picture that would vanish there (white on
transparent) on black. Of several frames the first counts. Colour profiles are not applied. More than 8 bits a pixel is
an error, for nobody knows which of the bits matter. Only the formats of `FORMATS` are opened: others may run programs.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from igcnas.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # JPEG includes MPO, which phones write
_ORIENTATION = 0x0112

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
    """A file that gives no picture; `reason` says why, in a few words."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path!r} cannot be decoded ({reason}); replace or remove it, or leave it out with --skip-bad"
        )
        self.path, self.reason = path, reason


@contextmanager
def opened(path: str) -> Iterator[Image.Image]:
    """The image of a file, opened but not decoded; whatever is wrong with it is a BadPictureError."""
    from PIL import Image, UnidentifiedImageError

    _HERE.path = path
    try:
        if os.path.getsize(path) == 0:
            raise BadPictureError(path, "the file is empty")
        with Image.open(path, formats=FORMATS) as image:
            if image.mode.startswith("I") or image.mode == "F":
                raise BadPictureError(
                    path, f"it has more than 8 bits a pixel (mode {image.mode}), convert it to 8 bits"
                )
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


def orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF counts; 1, which is upright, where nothing or nonsense is said."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:  # the picture itself may be whole
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def size_of(image: Image.Image) -> tuple[int, int]:
    """Width and height once it is upright."""
    width, height = image.size
    return (height, width) if orientation(image) >= 5 else (width, height)


def upright(image: Image.Image) -> Image.Image:
    """RGB, turned, without transparency."""
    from PIL import Image

    image.load()  # first: a PNG may say its orientation behind the pixels
    turn = _turns(Image.Transpose).get(orientation(image))
    flat = _opaque(image) if image.has_transparency_data else image
    if flat.mode != "RGB":
        flat = flat.convert("RGB")
    return flat if turn is None else flat.transpose(turn)


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether red, green and blue are equal in every pixel (height, width, 3)."""
    first = pixels[..., 0]
    return bool((first == pixels[..., 1]).all() and (first == pixels[..., 2]).all())


def _opaque(image: Image.Image) -> Image.Image:
    from PIL import Image

    picture = image.convert("RGBA")
    on = {name: Image.new("RGBA", picture.size, name) for name in ("white", "black")}
    flat = Image.alpha_composite(on["white"], picture).convert("RGB")
    if all(low == high for low, high in flat.getextrema()):  # type: ignore[misc]  # pairs, of three bands
        on_black = Image.alpha_composite(on["black"], picture).convert("RGB")
        if any(low != high for low, high in on_black.getextrema()):  # type: ignore[misc]
            return on_black
    return flat


def _turns(way: type[Image.Transpose]) -> dict[int, Image.Transpose]:
    """What makes each orientation upright."""
    return {
        2: way.FLIP_LEFT_RIGHT,
        3: way.ROTATE_180,
        4: way.FLIP_TOP_BOTTOM,
        5: way.TRANSPOSE,
        6: way.ROTATE_270,
        7: way.TRANSVERSE,
        8: way.ROTATE_90,
    }


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
