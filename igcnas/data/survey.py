"""What the pictures of a folder are before any is decoded: how large, by their headers, and how many of each class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.data.listing import FolderListing
from igcnas.data.picture import BadPictureError, opened, remarks
from igcnas.data.preparation import upright_size
from igcnas.errors import DataError

_MOST = 2000  # headers that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Of a folder.

    sizes: upright width and height of those that were looked at, shape (n, 2), n > 0. of: how many there are.
    formats: how many of those are of each format.
    """

    sizes: NDArray[np.int64]
    of: int
    formats: dict[str, int]

    @property
    def one_size(self) -> tuple[int, int] | None:
        """Width and height, where all of them have the same."""
        first = self.sizes[0]
        return (int(first[0]), int(first[1])) if (self.sizes == first).all() else None

    @property
    def short_sides(self) -> NDArray[np.int64]:
        """Sorted."""
        return np.sort(self.sizes.min(axis=1))


def survey(listing: FolderListing) -> Pictures:
    """Look at the training pictures, of many at an even sample; DataError where none can be opened."""
    paths = listing.train.paths
    sizes, formats = [], Counter[str]()
    with remarks():
        for path in paths[:: -(-len(paths) // _MOST)]:
            try:
                with opened(path) as image:
                    sizes.append(upright_size(image))
                    formats[str(image.format)] += 1
            except BadPictureError:  # who loads the data says which, and why
                continue
    if not sizes:
        raise DataError(f"no picture in {str(listing.root)!r} can be opened; see that these are pictures")
    return Pictures(sizes=np.array(sizes, np.int64), of=len(paths), formats=dict(formats.most_common()))
