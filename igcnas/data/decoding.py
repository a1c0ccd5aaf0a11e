"""Picture files decoded into one array, on several threads; all that cannot be decoded are found at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from igcnas.data.bounds import check_memory
from igcnas.data.picture import BadPictureError, is_grey, opened, remarks
from igcnas.data.preparation import cover, upright, upright_size
from igcnas.errors import DataError
from igcnas.units import counted

if TYPE_CHECKING:
    from PIL import Image

_CHUNK = 256  # images a task: large enough to hide the cost of a task, small enough to stop soon after an error
# Pillow releases Python's lock only while it decodes, and small images are mostly Python: on 4 cores, 20,000 CIFAR
# JPEGs took 3.1 s with 1 or 2 threads, 5.4 s with 4 and 5.9 s with 8, which spent their time handing the lock around.
# For 600 photos of 400x500 pixels 2 and 4 threads took 0.47 s, 16 took 0.55 s.
_SMALL_THREADS, _LARGE_THREADS = 2, 4
_SMALL_PIXELS = 128 * 128
_NAMED = 20  # bad files in a message; the others are counted, and igcnas init lists more
_SIZES_LOOKED_AT = 2000  # files whose sizes are counted once they are known to differ


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """uint8 images (k, channels, height, width) of the good files, the positions of the bad ones with the reasons, and
    what a user should know.
    """

    images: NDArray[np.uint8]
    bad: tuple[tuple[int, str], ...]
    notes: tuple[str, ...]


def decode_images(paths: Sequence[str], *, image_size: int | None, form: tuple[int, int, int] | None) -> Decoded:
    """The images of n > 0 files.

    `image_size` N resizes the short side to N (bicubic, antialiased) and crops the centre to N x N. `form` (channels,
    height, width) is what the images must become; None takes the size from the first and one channel if all are grey,
    else three. DataError if the sizes differ, or no file can be decoded.
    """
    size = form[1:] if form is not None else _first_size(paths, image_size)
    # undecided: as colour first, in which a grey image has three equal planes
    channels = 3 if form is None else form[0]
    _check_room(len(paths), (channels, *size), image_size)
    out = np.empty((len(paths), channels, *size), dtype=np.uint8)

    def decode_chunk(start: int) -> tuple[list[tuple[int, str]], int, int]:
        """Fills a part of `out`; the bad files, how many of the others are in colour, how many have further frames."""
        bad, colours, animated = [], 0, 0
        for i in range(start, min(start + _CHUNK, len(paths))):
            try:
                picture, moves = _decode(paths[i], image_size)
            except BadPictureError as error:
                bad.append((i, error.reason))
                continue
            if (picture.height, picture.width) != size:
                raise _differing_size(paths, i, picture.size, size, whole=form is None)
            pixels = np.asarray(picture)
            grey = is_grey(pixels)
            if channels == 3:
                out[i] = pixels.transpose(2, 0, 1)
            else:
                out[i] = np.asarray(picture.convert("L"))
            colours += not grey
            animated += moves
        return bad, colours, animated

    threads = _SMALL_THREADS if size[0] * size[1] < _SMALL_PIXELS else _LARGE_THREADS
    with remarks() as said, ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            found = list(pool.map(decode_chunk, range(0, len(paths), _CHUNK)))
        finally:
            pool.shutdown(cancel_futures=True)  # an error, or the user's Ctrl-C, does not wait for the other chunks
    bad = tuple(entry for chunk, _, _ in found for entry in chunk)
    if len(bad) == len(paths):
        raise bad_pictures((paths, bad))
    if bad:
        out = np.delete(out, [i for i, _ in bad], axis=0)
    colours, animated = sum(chunk[1] for chunk in found), sum(chunk[2] for chunk in found)
    if form is None and not colours:
        out = out[:, :1].copy()
    return Decoded(images=out, bad=bad, notes=_notes(said, animated, colours if channels == 1 else 0))


def bad_pictures(*found: tuple[Sequence[str], Sequence[tuple[int, str]]]) -> DataError:
    """One line of all files that cannot be decoded: of each part its paths, and position and reason of the bad ones."""
    bad = [(paths[i], reason) for paths, entries in found for i, reason in entries]
    count = sum(len(paths) for paths, _ in found)
    named = "; ".join(f"{path!r} ({reason})" for path, reason in bad[:_NAMED])
    more = f"; and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
    if len(bad) == 1 < count:
        return BadPictureError(*bad[0])
    if len(bad) == count:
        return DataError(f"none of {counted(count, 'image')} can be decoded: {named}{more}; replace them")
    return DataError(
        f"{len(bad):,} of {count:,} images cannot be decoded: {named}{more}; replace or remove them, or leave "
        "them out with --skip-bad"
    )


def _decode(path: str, image_size: int | None) -> tuple[Image.Image, bool]:
    """RGB, of the wanted size; and whether the file has further frames, which are not read."""
    with opened(path) as image:
        moves = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        picture = upright(image)
        return (picture if image_size is None else cover(picture, image_size, image_size)), moves


def _first_size(paths: Sequence[str], image_size: int | None) -> tuple[int, int]:
    """Height and width that the images will have, in pixels: of the first that can be decoded."""
    if image_size is not None:
        return image_size, image_size
    with remarks():
        for path in paths:
            try:
                width, height = _size(path)
            except BadPictureError:
                continue
            return height, width
    raise bad_pictures((paths, [(i, _reason(path)) for i, path in enumerate(paths)]))


def _size(path: str) -> tuple[int, int]:
    with opened(path) as image:
        if image.format not in ("JPEG", "MPO"):
            image.load()
        return upright_size(image)


def _reason(path: str) -> str:
    try:
        _size(path)
    except BadPictureError as error:
        return error.reason
    return ""


def _check_room(count: int, shape: tuple[int, int, int], image_size: int | None) -> None:
    smaller = "a smaller --image-size" if image_size is not None else "--image-size N"
    check_memory(
        count * int(np.prod(shape)),
        f"{count:,} images of {'x'.join(map(str, shape))} take",
        f"pass {smaller}, or train single networks with igcnas train --stream",
    )


def _differing_size(
    paths: Sequence[str], i: int, found: tuple[int, int], size: tuple[int, int], *, whole: bool
) -> DataError:
    """Which size most images have, how many have another, and one of these."""
    usual = (size[1], size[0])
    if not whole:
        return DataError(
            f"{paths[i]!r} is {found[0]}x{found[1]} pixels, the training images are {usual[0]}x{usual[1]}, and images "
            "must have one size; pass --image-size N to resize and centre-crop them all to NxN"
        )
    looked_at: dict[str, tuple[int, int]] = {}
    step = max(1, len(paths) // _SIZES_LOOKED_AT)
    for path in {*paths[::step], paths[i]}:
        try:
            looked_at[path] = _size(path)
        except BadPictureError:
            continue
    (most, count), *_ = Counter(looked_at.values()).most_common(1)
    other = next(path for path in sorted(looked_at) if looked_at[path] != most)
    width, height = looked_at[other]
    return DataError(
        f"images must have one size: {count:,} of {len(looked_at):,} looked at are {most[0]}x{most[1]} pixels, "
        f"{len(looked_at) - count:,} {'is' if len(looked_at) - count == 1 else 'are'} not, such as {other!r} with "
        f"{width}x{height}; pass --image-size N to resize and centre-crop them all to NxN"
    )


def _notes(said: Sequence[tuple[str, str]], animated: int, colours: int) -> tuple[str, ...]:
    notes = []
    if animated:
        notes.append(f"{counted(animated, 'file has', 'files have')} several frames; the first is read")
    if colours:
        notes.append(
            f"{counted(colours, 'image in colour becomes', 'images in colour become')} grey, as all training images are"
        )
    if said:
        path, text = min(said)
        files = len({place for place, _ in said})
        notes.append(
            f"the decoder has remarks on {files:,} {'file' if files == 1 else 'files'}, such as "
            f"{Path(path).name!r}: {text}"
        )
    return tuple(notes)
