"""What is said of a data set before anything is trained on it; data that nothing can be learned from is refused.

The test split is read here to see that it can be: its form, its labels, and whether its images are in the training data
too. Nothing of it reaches a training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.data.dataset import Dataset, Split, check_test_split, split_indices
from igcnas.data.origin import LeftOut, Origin, together
from igcnas.data.splitting import split_notes
from igcnas.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """How many images each split has, where they come from, what was left out, what a user should know."""

    train: int
    validation: int
    test: int
    origin: Origin
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def check_learnable(dataset: Dataset) -> None:
    """DataError for data that no network can learn from, or that cannot be split."""
    train = dataset.train
    if dataset.num_classes < 2:
        raise DataError(
            f"{dataset.name!r} has one class, {dataset.classes[0]!r}: every answer would be right; give images of two "
            "classes at least"
        )
    if train.images.min() == train.images.max():
        raise DataError(
            f"all pixels of all {len(train.labels):,} training images of {dataset.name!r} are {train.images.min()}: "
            "there is nothing to learn; look how the images were stored"
        )


def examine(dataset: Dataset, *, fraction: float, seed: int) -> Examined:
    """Read the test split and see that it is of the form of the training data; DataError where it is not."""
    test = check_test_split(
        dataset.load_test(),
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        where=dataset.name,
    )
    train, validation = dataset.split(fraction=fraction, seed=seed)
    notes = [*dataset.origin.notes, *(f"in the test split: {note}" for note in test.notes)]
    notes += _missing(dataset, {"test": test} | ({"validation": validation} if dataset.own_validation else {}))
    notes += _lonely(dataset)
    notes += _by_groups(dataset, fraction=fraction, seed=seed)
    notes += _constant({"training": train, "validation": validation, "test": test})
    notes += _shared(dataset, train, validation, test)
    return Examined(
        train=len(train.labels),
        validation=len(validation.labels),
        test=len(test.labels),
        origin=dataset.origin,
        left_out=together([*dataset.origin.left_out, *test.left_out]),
        notes=tuple(notes),
    )


def largest_class(labels: NDArray[np.int64]) -> tuple[int, float]:
    """The class that most images have, and its share of them: the accuracy of always answering it."""
    counts = np.bincount(labels)
    return int(counts.argmax()), float(counts.max() / counts.sum())


def is_unbalanced(share: float, num_classes: int) -> bool:
    """Whether the share of the largest class is worth a word: a fifth above that of equal classes."""
    return share > 1.2 / num_classes


def _missing(dataset: Dataset, parts: dict[str, Split]) -> list[str]:
    notes = []
    for name, split in parts.items():
        missing = np.flatnonzero(np.bincount(split.labels, minlength=dataset.num_classes) == 0)
        said = any("has no images of" in note for note in dataset.origin.notes)  # by the listing of a folder
        if len(missing) and not said:
            shown = ", ".join(repr(dataset.classes[label]) for label in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            notes.append(f"the {name} split has no images of {shown}{more}")
    return notes


def _lonely(dataset: Dataset) -> list[str]:
    if dataset.own_validation:
        return []
    lonely = int((np.bincount(dataset.train.labels, minlength=dataset.num_classes) == 1).sum())
    if not lonely:
        return []
    return [f"{_count(lonely, 'class has', 'classes have')} one image to train on, and none to validate on"]


def _by_groups(dataset: Dataset, *, fraction: float, seed: int) -> list[str]:
    """Of a validation split that was drawn by groups."""
    labels, groups = dataset.train.labels, dataset.train.groups
    if dataset.own_validation or groups is None:
        return []
    _, leave = split_indices(labels, groups, fraction=fraction, seed=seed)
    return [*split_notes(labels, leave, fraction=fraction, what="to validate on", classes=dataset.classes)]


def _constant(parts: dict[str, Split]) -> list[str]:
    counts = {name: int(_is_constant(split.images).sum()) for name, split in parts.items()}
    found = {name: count for name, count in counts.items() if count}
    if not found:
        return []
    words = ", ".join(f"{count:,} {name}" for name, count in found.items())
    total = sum(found.values())
    return [f"{_count(total, 'image is', 'images are')} of one colour all over ({words})"]


def _is_constant(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    planes = images.reshape(len(images), images.shape[1], -1)
    constant: NDArray[np.bool_] = (planes.min(2) == planes.max(2)).all(1)
    return constant


def _shared(dataset: Dataset, train: Split, validation: Split, test: Split) -> list[str]:
    """Equal images in two splits: what is learned by heart would count as understood."""
    pairs: Sequence[tuple[str, Split, str, list[Split]]]
    pairs = [("test", test, "training or validation", [train, validation])]
    if dataset.own_validation:
        pairs = [("validation", validation, "training", [train]), *pairs]
    digests = {id(split): _digests(split) for split in (train, validation, test)}
    notes = []
    for name, split, others, among in pairs:
        known = set().union(*(digests[id(other)] for other in among))
        count = sum(digest in known for digest in digests[id(split)])
        if count:
            notes.append(
                f"{_count(count, f'{name} image is', f'{name} images are')} among the {others} images too, pixel by "
                "pixel: the accuracy there flatters"
            )
    return notes


def _digests(split: Split) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=12).digest() for image in split.images]


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
