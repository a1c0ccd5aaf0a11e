"""Which files an image folder has, and which of them are the test split. Nothing is decoded here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igcnas.data.dataset import held_out_indices
from igcnas.errors import DataError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Images found but not decoded: absolute paths, and for each its label, and its bytes and time of change in ns."""

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    stamps: tuple[tuple[int, int], ...]

    def take(self, indices: NDArray[np.intp]) -> Listing:
        """Those at these positions."""
        return Listing(
            paths=tuple(self.paths[i] for i in indices),
            labels=self.labels[indices],
            stamps=tuple(self.stamps[i] for i in indices),
        )

    def digest(self, *form: object) -> str:
        """32 hex digits that change with the wanted form, and any file's place, name, size or time of change."""
        digest = hashlib.sha256(json.dumps(form).encode())
        for path, stamp in zip(self.paths, self.stamps, strict=True):
            digest.update(b"\0%s\0%d\0%d" % (os.fsencode(path), *stamp))
        return digest.hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderListing:
    """An image folder: its name, its classes, the images to train and validate on, the test images."""

    root: Path
    classes: tuple[str, ...]
    train: Listing
    test: Listing


def list_image_folder(root: Path) -> FolderListing:
    """What is in the tree at `root` (see imagefolder.py); DataError if it is none."""
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
    return FolderListing(root=root, classes=classes, train=train, test=test)


def _class_folders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in a folder, sorted; hidden ones are left by other tools and are no classes."""
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _list_images(root: Path, part: str, classes: tuple[str, ...]) -> Listing:
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
    return Listing(
        paths=tuple(paths),
        labels=np.array(labels, dtype=np.int64),
        stamps=tuple((state.st_size, state.st_mtime_ns) for state in states),
    )


def _image_paths(folder: Path) -> Iterable[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield os.path.join(place, name)


def _join(first: Listing, second: Listing) -> Listing:
    return Listing(
        paths=first.paths + second.paths,
        labels=np.concatenate([first.labels, second.labels]),
        stamps=first.stamps + second.stamps,
    )
