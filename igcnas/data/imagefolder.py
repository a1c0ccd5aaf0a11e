"""Image folders: a folder of images for each class under train/ and test/ or val/, as many tools write them.

    root/train/<class>/**.jpg       root/test/<class>/**.jpg       root/val/<class>/**.jpg

Which is the test split: test/ where it exists, and then val/, if it exists too, joins the training data, of which a
study cuts its own validation split; else val/; else a fixed stratified 20 % of train/. Images all grey become one
channel, else all become RGB (transparency is dropped), and test images take the form of the training images. Decoded
images are cached (see cache.py).
"""

from __future__ import annotations

import functools
from pathlib import Path

from igcnas.data.cache import read_cached, write_cached
from igcnas.data.dataset import Dataset, Split
from igcnas.data.decoding import decode_images
from igcnas.data.listing import Listing, list_image_folder
from igcnas.errors import DataError

_CACHE_FORMAT = 1  # part of every key: raise it when the decoding changes, so that old files are not read


def load_image_folder(root: Path, *, image_size: int | None = None) -> Dataset:
    """The tree at `root`: images (1 or 3, height, width) of one size, classes named by their folders.

    With `image_size` N every image is resized, its short side to N pixels, and cropped to the central N x N. Only
    colour images are mirrored in training: grey ones are often digits or letters. DataError if the tree, an image or a
    size is wrong; the test images are listed at once and decoded when `load_test` is called.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image size {image_size} must be at least 1 pixel; 32 is usual")
    listing = list_image_folder(root)
    train_split = _load(listing.train, image_size, None)
    _, channels, height, width = train_split.images.shape
    return Dataset(
        name=listing.root.name,
        classes=listing.classes,
        train=train_split,
        load_test=functools.partial(_load, listing.test, image_size, (channels, height, width)),
        flip=channels == 3,
        pad=height // 8,
    )


def _load(listing: Listing, image_size: int | None, form: tuple[int, int, int] | None) -> Split:
    """The images of a listing, from the cache or decoded; of the given (channels, height, width), else of their own."""
    key = f"imagefolder-{listing.digest(_CACHE_FORMAT, image_size, form)}"
    images = read_cached(key)
    if images is None or len(images) != len(listing.paths):
        images = decode_images(listing.paths, image_size=image_size, form=form)
        write_cached(key, images)
    return Split(images=images, labels=listing.labels)
