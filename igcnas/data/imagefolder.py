"""Image folders: a folder of images for each class under train/ and test/ or val/, as many tools write them.

    root/train/<class>/**.jpg       root/test/<class>/**.jpg       root/val/<class>/**.jpg

Which is the test split: test/ where it exists, and then val/, if it exists too, joins the training data, of which a
study cuts its own validation split; else val/; else a fixed stratified 20 % of train/. Images all grey become one
channel, else all become RGB (transparency is dropped), and test images take the form of the training images. Decoded
images are cached (see cache.py).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igcnas.data.cache import read_cached, write_cached
from igcnas.data.dataset import Dataset, Split, held_out_indices
from igcnas.data.decoding import decode_images
from igcnas.errors import DataError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_CACHE_FORMAT = 1  # part of every key: raise it when the decoding changes, so that old files are not read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """Images found but not decoded: absolute paths, and for each its label, and its bytes and time of change in ns."""

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    stamps: tuple[tuple[int, int], ...]

    def take(self, indices: NDArray[np.intp]) -> _Listing:
        return _Listing(
            paths=tuple(self.paths[i] for i in indices),
            labels=self.labels[indices],
            stamps=tuple(self.stamps[i] for i in indices),
        )

    def key(self, *form: object) -> str:
        """A hash that changes with the wanted form, and any file's place, name, size or time of change."""
        digest = hashlib.sha256(json.dumps([_CACHE_FORMAT, *form]).encode())
        for path, stamp in zip(self.paths, self.stamps, strict=True):
            digest.update(b"\0%s\0%d\0%d" % (os.fsencode(path), *stamp))
        return f"imagefolder-{digest.hexdigest()[:32]}"


def load_image_folder(root: Path, *, image_size: int | None = None) -> Dataset:
    """The tree at `root`: images (1 or 3, height, width) of one size, classes named by their folders.

    With `image_size` N every image is resized, its short side to N pixels, and cropped to the central N x N. Only
    colour images are mirrored in training: grey ones are often digits or letters. DataError if the tree, an image or a
    size is wrong; the test images are listed at once and decoded when `load_test` is called.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image size {image_size} must be at least 1 pixel; 32 is usual")
    root = Path(os.path.abspath(root))
    present = [name for name in ("train", "val", "test") if (root / name).is_dir()]
    if "train" not in present:
        raise DataError(
            f"no folder 'train' in {str(root)!r}; an image folder is train/<class>/<image> with test/ or val/ beside it"
        )
    try:
        classes = _class_folders(root / "train")
        listings = {name: _list_images(root, name, classes) for name in present}
    except OSError as error:
        raise DataError(f"{error.filename!r} cannot be read ({error.strerror}); correct or remove it") from error
    if len(present) == 1:
        stay, leave = held_out_indices(listings["train"].labels)
        train, test = listings["train"].take(stay), listings["train"].take(leave)
    elif len(present) == 2:
        train, test = listings["train"], listings[present[1]]
    else:
        train, test = _join(listings["train"], listings["val"]), listings["test"]
    train_split = _load(train, image_size, None)
    _, channels, height, width = train_split.images.shape
    return Dataset(
        name=root.name,
        classes=classes,
        train=train_split,
        load_test=functools.partial(_load, test, image_size, (channels, height, width)),
        flip=channels == 3,
        pad=height // 8,
    )


def _class_folders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in a folder, sorted; hidden ones are left by other tools and are no classes."""
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _list_images(root: Path, part: str, classes: tuple[str, ...]) -> _Listing:
    if not classes:
        raise DataError(
            f"no class folders in {str(root / part)!r}; put the images of each class in a folder of its own"
        )
    found = _class_folders(root / part)
    if differing := sorted(set(found) ^ set(classes)):
        raise DataError(
            f"class {differing[0]!r} is in only one of 'train' and {part!r} of {str(root)!r}; give both the same "
            "class folders"
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        inside = sorted(_image_paths(root / part / name))
        if not inside:
            raise DataError(
                f"no images in {str(root / part / name)!r}; add some ({', '.join(EXTENSIONS)}) or remove the class"
            )
        paths += inside
        labels += [label] * len(inside)
    states = [os.stat(path) for path in paths]
    return _Listing(
        paths=tuple(paths),
        labels=np.array(labels, dtype=np.int64),
        stamps=tuple((state.st_size, state.st_mtime_ns) for state in states),
    )


def _image_paths(folder: Path) -> Iterable[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield os.path.join(place, name)


def _join(first: _Listing, second: _Listing) -> _Listing:
    return _Listing(
        paths=first.paths + second.paths,
        labels=np.concatenate([first.labels, second.labels]),
        stamps=first.stamps + second.stamps,
    )


def _load(listing: _Listing, image_size: int | None, form: tuple[int, int, int] | None) -> Split:
    """The images of a listing, from the cache or decoded; of the given (channels, height, width), else of their own."""
    key = listing.key(image_size, form)
    images = read_cached(key)
    if images is None or len(images) != len(listing.paths):
        images = decode_images(listing.paths, image_size=image_size, form=form)
        write_cached(key, images)
    return Split(images=images, labels=listing.labels)
