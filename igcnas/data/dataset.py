"""Images with labels in memory, and the split of them into training and validation.

Convention: images are uint8 of shape (n, channels, height, width), values 0..255; labels are int64 of shape (n,),
values 0..classes - 1. The test split is behind a function: an export looks at its images; before a search
`examination.examine` checks that they can be read, so that no search can end at a file that was wrong from the start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from igcnas.data.origin import LeftOut, Origin
from igcnas.data.splitting import grouped_indices
from igcnas.errors import DataError

# Data without a test split of its own gives up this share, the same for every user, seed and run.
HELD_OUT_FRACTION = 0.2
_HELD_OUT_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # eq=False: two arrays compare to an array, not to a bool
class Split:
    """Images and their labels: uint8 (n, channels, height, width) and int64 (n,), n > 0. Else DataError.

    groups: for each image the number of a group, int64 (n,), all of which stays on one side of any split; None where
    each image stands for itself. files: where each image is from, () where they are no files. notes, left_out: what a
    user should know of how they were read.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    groups: NDArray[np.int64] | None = None
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4:
            raise DataError(
                f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape "
                "(n, channels, height, width): convert them"
            )
        if labels.dtype != np.int64 or labels.ndim != 1:
            raise DataError(
                f"labels are {labels.dtype} of shape {labels.shape}; they must be int64 of shape (n,): convert them"
            )
        if len(images) != len(labels):
            raise DataError(f"{len(images)} images have {len(labels)} labels; give each image one label")
        if images.size == 0:
            raise DataError(f"images of shape {images.shape} hold no pixel; give at least one image")
        if self.groups is not None and self.groups.shape != labels.shape:
            raise DataError(f"{len(labels)} images have groups of shape {self.groups.shape}; give each image one group")
        if labels.min() < 0:
            raise DataError(f"label {labels.min()} is negative; number the classes from 0")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """A named classification task. DataError if a label has no class.

    name: what a figure's caption says. classes: the name of each label. train: everything that may be trained or
    validated on. load_test: reads the test split, anew at each call. flip: a mirrored image is still of its class.
    pad: pixels of zeros on each side before a random crop, height // 8 (1 for 8x8, 4 for 32x32). own_validation: so
    many of the last images of train are the data's own validation split; 0: it has none, and one is drawn. origin:
    where the splits come from, in words.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    load_test: Callable[[], Split]
    flip: bool
    pad: int
    own_validation: int = 0
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        check_labels(self.train.labels, num_classes=len(self.classes), where=self.name)
        if not 0 <= self.own_validation < len(self.train.labels):
            raise DataError(
                f"{self.own_validation} of the {len(self.train.labels)} images of {self.name!r} are to validate on; "
                "leave one to train on at least"
            )
        if self.pad < 0:
            raise DataError(f"pad {self.pad} of {self.name!r} is negative; give 0 or more pixels")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width

    @property
    def num_classes(self) -> int:
        """How many classes there are, 1 or more."""
        return len(self.classes)

    def fingerprint(self) -> str:
        """16 hex digits which change when a class name, a shape, a training pixel, label or group, or own split does.

        A study stores it, so that it is never resumed on other data. The test split is not part of it.
        """
        shapes = [self.classes, self.train.images.shape, *([self.own_validation] if self.own_validation else [])]
        digest = hashlib.sha256(json.dumps(shapes).encode())
        digest.update(np.ascontiguousarray(self.train.images).data)
        digest.update(np.ascontiguousarray(self.train.labels, dtype="<i8").data)
        if self.train.groups is not None:
            digest.update(np.ascontiguousarray(self.train.groups, dtype="<i8").data)
        return digest.hexdigest()[:16]

    def split(self, *, fraction: float, seed: int) -> tuple[Split, Split]:
        """Training and validation images: the data's own, else `fraction` of each class drawn by the seed."""
        if not self.own_validation:
            if np.bincount(self.train.labels).max() < 2:
                raise DataError(
                    f"no class of {self.name!r} has two images to train and to validate on ({len(self.train.labels)} "
                    f"in {self.num_classes} classes; the test split is apart: {self.origin.test or 'its own'}); give "
                    "each class more images"
                )
            return split_train_validation(self.train, fraction=fraction, seed=seed)
        if len(self.train.labels) - self.own_validation < 2:
            raise DataError(
                f"{self.name!r} has one image to train on beside its own validation split; a training step needs two"
            )
        positions = np.arange(len(self.train.labels))
        return take(self.train, positions[: -self.own_validation]), take(self.train, positions[-self.own_validation :])


def check_labels(labels: NDArray[np.int64], *, num_classes: int, where: str) -> None:
    """DataError, which names `where`, if a label of shape (n,) is not one of 0..num_classes - 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if wrong.size:
        raise DataError(
            f"label {labels[wrong[0]]} of image {wrong[0]} in {where!r} is outside 0..{num_classes - 1}; "
            "correct the labels or name every class"
        )


def check_test_split(test: Split, *, input_shape: tuple[int, ...], num_classes: int, where: str) -> Split:
    """The same split, or DataError where its images or labels are of another form than the training data's."""
    if test.images.shape[1:] != input_shape:
        raise DataError(
            f"test images of {where!r} are {test.images.shape[1:]}, the training images {input_shape} "
            "(channels, height, width); store both in one form"
        )
    check_labels(test.labels, num_classes=num_classes, where=f"{where} (test)")
    return test


def stratified_indices(
    labels: NDArray[np.int64], *, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the images that stay and of those that leave, each ascending; `fraction` of every class leaves.

    Rounded to the nearest image, yet a class with two images or more keeps one and gives one; a class with one image
    keeps it. DataError if no class has two images, or `fraction` is not inside (0, 1), or `seed` is negative.
    """
    if not 0 < fraction < 1:
        raise DataError(f"fraction {fraction} to hold out must lie between 0 and 1, both excluded; 0.1 is usual")
    if seed < 0:
        raise DataError(f"seed {seed} of a split is negative; give 0 or more")
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not np.any(counts >= 2):
        raise DataError(
            f"{len(labels)} images in {len(counts)} classes, one of each, cannot be split in two; give two or more "
            "images to a class"
        )
    leaving = np.clip(np.floor(counts * fraction + 0.5).astype(np.int64), 1, np.maximum(counts - 1, 1))
    leaving[counts == 1] = 0
    # numpy promises the raw stream of a bit generator for ever, the methods of Generator it does not (NEP 19);
    # a held-out test split must stay the same images under the next numpy.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    order = np.lexsort((keys, inverse))  # class by class, in random order within each
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    leaves = rank < np.repeat(leaving, counts)
    return np.sort(order[~leaves]), np.sort(order[leaves])


def split_indices(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None, *, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The same where groups, if there are any, are whole on one side, and shares are as near as that allows."""
    if groups is None:
        return stratified_indices(labels, fraction=fraction, seed=seed)
    return grouped_indices(labels, groups, fraction=fraction, seed=seed)


def held_out_indices(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of training and of test images where data has no test split: 20 % of each class, always the same."""
    return split_indices(labels, groups, fraction=HELD_OUT_FRACTION, seed=_HELD_OUT_SEED)


def split_train_validation(split: Split, *, fraction: float, seed: int) -> tuple[Split, Split]:
    """A training and a validation split; `fraction` of each class validates. The same seed gives the same images.

    Every class with two images or more is in both, unless groups forbid it. Errors as `stratified_indices`.
    """
    stay, leave = split_indices(split.labels, split.groups, fraction=fraction, seed=seed)
    return take(split, stay), take(split, leave)


def take(split: Split, indices: NDArray[np.intp]) -> Split:
    """A copy of the images at `indices`, shape (k,), k > 0."""
    groups = None if split.groups is None else split.groups[indices]
    files = tuple(split.files[i] for i in indices) if split.files else ()
    return Split(images=split.images[indices], labels=split.labels[indices], groups=groups, files=files)
