"""Image files decoded into one array, with Pillow, on several threads."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

_CHUNK = 256  # images a task: large enough to hide the cost of a task, small enough to stop soon after an error
_GREY_MODES = ("1", "L", "LA", "La")
# Pillow releases Python's lock only while it decodes, and small images are mostly Python: on 4 cores, 20,000 CIFAR
# JPEGs took 3.1 s with 1 or 2 threads, 5.4 s with 4 and 5.9 s with 8, which spent their time handing the lock around.
# For 600 photos of 400x500 pixels 2 and 4 threads took 0.47 s, 16 took 0.55 s.
_SMALL_THREADS, _LARGE_THREADS = 2, 4
_SMALL_PIXELS = 128 * 128

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
    struct.error,
    zlib.error,
)


def decode_images(
    paths: Sequence[str], *, image_size: int | None, form: tuple[int, int, int] | None
) -> NDArray[np.uint8]:
    """The images of n > 0 files, uint8 (n, channels, height, width).

    `image_size` N resizes the short side to N (bicubic, antialiased) and crops the centre to N x N. `form` (channels,
    height, width) is what the images must become; None takes the size from the first and one channel if all are grey,
    else three. DataError names the first file that cannot be decoded or has another size.
    """
    channels = (
        3 if form is None else form[0]
    )  # undecided: as colour first, in which a grey image has three equal planes
    size = form[1:] if form is not None else _size_of(paths[0], image_size)
    out = np.empty((len(paths), channels, *size), dtype=np.uint8)

    def decode_chunk(start: int) -> bool:
        """Fills a part of `out`; whether all images in it are grey."""
        all_grey = True
        for i in range(start, min(start + _CHUNK, len(paths))):
            pixels, grey = _decode(paths[i], image_size, grey=channels == 1)
            if pixels.shape[:2] != size:
                raise _differing_size(paths[i], pixels.shape, size)
            out[i] = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels
            all_grey &= grey
        return all_grey

    threads = _SMALL_THREADS if size[0] * size[1] < _SMALL_PIXELS else _LARGE_THREADS
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            grey = list(pool.map(decode_chunk, range(0, len(paths), _CHUNK)))
        finally:
            pool.shutdown(cancel_futures=True)  # an error, or the user's Ctrl-C, does not wait for the other chunks
    return out[:, :1].copy() if form is None and all(grey) else out


def _decode(path: str, image_size: int | None, *, grey: bool) -> tuple[NDArray[np.uint8], bool]:
    """Pixels (height, width, 3), or (height, width) if `grey`, and whether the file itself is grey."""
    with opened(path) as image:
        mode = "L" if grey else "RGB"
        converted = image if image.mode == mode else image.convert(mode)
        return np.asarray(_fit(converted, image_size)), image.mode in _GREY_MODES


@contextmanager
def opened(path: str) -> Iterator[Image.Image]:
    """The image of a file, opened but not decoded; whatever is wrong with it is a DataError of one line."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith("I") or image.mode == "F":
                raise DataError(f"{path!r} has more than 8 bits a pixel (mode {image.mode!r}); convert it to 8 bits")
            yield image
    except DataError:
        raise
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path!r} cannot be decoded ({reason}); replace or remove it") from error


def is_grey(path: str) -> bool:
    """Whether a file itself is grey; it is not decoded."""
    with opened(path) as image:
        return image.mode in _GREY_MODES


def _fit(image: Image.Image, image_size: int | None) -> Image.Image:
    """Short side to `image_size` pixels, then the central square; the image itself for None."""
    if image_size is None or image.size == (image_size, image_size):
        return image
    from PIL import Image

    scale = image_size / min(image.size)
    width, height = (max(image_size, round(side * scale)) for side in image.size)
    left, top = (width - image_size) // 2, (height - image_size) // 2
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + image_size, top + image_size))


def _size_of(path: str, image_size: int | None) -> tuple[int, int]:
    """Height and width the image of a file will have, in pixels."""
    if image_size is not None:
        return image_size, image_size
    height, width = _decode(path, None, grey=True)[0].shape
    return height, width


def _differing_size(path: str, shape: tuple[int, ...], size: tuple[int, ...]) -> DataError:
    return DataError(
        f"{path!r} is {shape[1]}x{shape[0]} pixels, the others are {size[1]}x{size[0]}, and images must have one size; "
        "pass --image-size N to resize and centre-crop them all to NxN"
    )
