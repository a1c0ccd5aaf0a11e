"""Image folders: a folder of images for each class under train/, val/ and test/, as many tools write them.

    root/train/<class>/**.jpg       root/val/<class>/**.jpg       root/test/<class>/**.jpg

Which names mean which part says names.py. test/ is the test split and val/ beside it the validation split; val/ alone
is the test split, as that of ImageNet is; where there is neither, or the class folders lie in the root, a fixed
stratified 20 % is held out. Images that are all grey, by their pixels, become one channel, else all become RGB, and
test images take the form of the training images. Decoded images are cached (see cache.py).
"""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from igcnas.data.cache import read_cached, write_cached
from igcnas.data.dataset import Dataset, Split
from igcnas.data.decoding import Decoded, bad_pictures, decode_images
from igcnas.data.listing import Listing, check_classes, list_image_folder
from igcnas.data.origin import together, unreadable
from igcnas.errors import DataError

_CACHE_FORMAT = 2  # part of every key: raise it when the decoding changes, so that old files are not read


def load_image_folder(
    root: Path,
    *,
    image_size: int | None = None,
    skip_bad: bool = False,
    own_validation: bool = True,
    groups: str | None = None,
) -> Dataset:
    """The tree at `root`: images (1 or 3, height, width) of one size, classes named by their folders.

    With `image_size` N every image is resized, its short side to N pixels, and cropped to the central N x N. Only
    colour images are mirrored in training: grey ones are often digits or letters. `skip_bad` leaves out what cannot be
    decoded. `groups` says which pictures stay on one side of a split (groups.py). DataError if the tree, an image or a
    size is wrong; the test images are listed at once and decoded when `load_test` is called.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image size {image_size} must be at least 1 pixel; 32 is usual")
    listing = list_image_folder(root, own_validation=own_validation, groups=groups)
    decoded = _decoded(listing.train, image_size, None)
    _, channels, height, width = decoded.images.shape
    if decoded.bad and not skip_bad:  # the test images are looked at, too, so that one message names all
        bad_test = _decoded(listing.test, image_size, (channels, height, width)).bad
        raise bad_pictures((listing.train.paths, decoded.bad), (listing.test.paths, bad_test))
    train, bad = _split(listing.train, decoded), [i for i, _ in decoded.bad]
    own = listing.own_validation - sum(i >= len(listing.train.labels) - listing.own_validation for i in bad)
    if listing.own_validation and not own:
        raise DataError(f"no image of {listing.origin.validation!r} of {str(root)!r} can be decoded; replace them")
    check_classes(train.labels[: len(train.labels) - own], listing.classes, str(root))
    return Dataset(
        name=listing.name,
        classes=listing.classes,
        train=train,
        load_test=functools.partial(_load_test, listing.test, image_size, (channels, height, width), skip_bad),
        flip=channels == 3,
        pad=height // 8,
        own_validation=own,
        origin=replace(
            listing.origin,
            left_out=together([*listing.origin.left_out, *train.left_out]),
            notes=(*listing.origin.notes, *train.notes),
        ),
    )


def _load_test(listing: Listing, image_size: int | None, form: tuple[int, int, int], skip_bad: bool) -> Split:
    decoded = _decoded(listing, image_size, form)
    if decoded.bad and not skip_bad:
        raise bad_pictures((listing.paths, decoded.bad))
    return _split(listing, decoded)


def _decoded(listing: Listing, image_size: int | None, form: tuple[int, int, int] | None) -> Decoded:
    """The images of a listing, from the cache or decoded, of the given (channels, height, width), else of their own."""
    key = f"imagefolder-{listing.digest(_CACHE_FORMAT, image_size, form)}"
    decoded = _cached(key, len(listing.paths))
    if decoded is None:
        decoded = decode_images(listing.paths, image_size=image_size, form=form)
        about = {"bad": decoded.bad, "notes": decoded.notes}
        write_cached(key, decoded.images, json.dumps(about).encode())
    return decoded


def _split(listing: Listing, decoded: Decoded) -> Split:
    """The good images with their labels, and what was left out."""
    bad = [i for i, _ in decoded.bad]
    left = set(bad)
    return Split(
        images=decoded.images,
        labels=np.delete(listing.labels, bad),
        notes=decoded.notes,
        left_out=unreadable(listing.paths, decoded.bad),
        groups=None if listing.groups is None else np.delete(listing.groups, bad),
        files=tuple(path for i, path in enumerate(listing.paths) if i not in left),
    )


def _cached(key: str, count: int) -> Decoded | None:
    """What was decoded earlier; None if it was not, or is damaged."""
    stored = read_cached(key)
    if stored is None:
        return None
    images, about = stored
    try:
        said = json.loads(about)
        bad = tuple((int(i), str(reason)) for i, reason in said["bad"])
        notes = tuple(str(note) for note in said["notes"])
    except (ValueError, LookupError, TypeError):
        return None
    whole = len(images) + len(bad) == count and all(0 <= i < count for i, _ in bad)
    return Decoded(images=images, bad=bad, notes=notes) if whole else None
