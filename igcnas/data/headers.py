"""Files of a streamed folder looked at before a training, which would meet a bad one hours later.

Their headers; or the whole files, as long as an epoch takes, where bad ones are to be left out. What was found is
cached (see cache.py).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from igcnas.data.cache import read_cached, write_cached
from igcnas.data.decoding import bad_pictures
from igcnas.data.listing import Listing
from igcnas.data.origin import LeftOut, unreadable
from igcnas.data.picture import BadPictureError, is_grey, opened, remarks
from igcnas.data.preparation import upright

_FORMAT = 1
_THREADS = 4
_GREY_SAMPLE = 64
_MOST_COMPARED = 1_000_000_000  # bytes that are read to find equal files


def bad_files(listing: Listing, *, whole: bool) -> tuple[tuple[int, str], ...]:
    """Positions of the files that cannot be opened (whole: decoded), with the reasons."""
    key = f"headers-{listing.digest('headers', _FORMAT, whole)}"
    stored = read_cached(key)
    if stored is not None:
        try:
            return tuple((int(i), str(reason)) for i, reason in json.loads(stored[1]))
        except (ValueError, TypeError):
            pass  # damaged: look again

    def reason(path: str) -> str | None:
        try:
            with opened(path) as image:
                if whole:
                    image.load()
        except BadPictureError as error:
            return error.reason
        return None

    with remarks(), ThreadPoolExecutor(max_workers=_THREADS) as pool:
        reasons = list(pool.map(reason, listing.paths))
    found = tuple((i, reason) for i, reason in enumerate(reasons) if reason is not None)
    write_cached(key, np.zeros((0, 1, 1, 1), np.uint8), json.dumps(found).encode())
    return found


def check_files(*listings: Listing) -> None:
    """DataError, of one line, names the files whose headers cannot be read."""
    bad = [(listing.paths, bad_files(listing, whole=False)) for listing in listings]
    if any(found for _, found in bad):
        raise bad_pictures(*bad)


def without_bad(listing: Listing) -> tuple[Listing, tuple[int, ...], tuple[LeftOut, ...]]:
    """The listing without the files that cannot be decoded, their positions, and what is said of them."""
    found = bad_files(listing, whole=True)
    if len(found) == len(listing.paths):
        raise bad_pictures((listing.paths, found))
    bad = tuple(i for i, _ in found)
    return listing.take(np.delete(np.arange(len(listing.paths)), bad)), bad, unreadable(listing.paths, found)


def all_grey(listing: Listing) -> bool:
    """Whether a sample of the files, spread over all classes, is grey in every pixel."""
    step = max(1, len(listing.paths) // _GREY_SAMPLE)
    with remarks():
        for path in listing.paths[::step]:
            with opened(path) as image:
                if image.format == "JPEG":
                    image.draft("RGB", (32, 32))
                if not is_grey(np.asarray(upright(image))):
                    return False
    return True


def equal_files(first: Listing, second: Listing) -> int | None:
    """How many files of the first are byte for byte in the second; None where that is too much to read."""
    sizes = {stamp[0] for stamp in second.stamps}
    candidates: dict[int, list[str]] = defaultdict(list)
    for path, (size, _) in zip(first.paths, first.stamps, strict=True):
        if size in sizes:
            candidates[size].append(path)
    among = [path for path, (size, _) in zip(second.paths, second.stamps, strict=True) if size in candidates]
    if sum(os.path.getsize(path) for paths in (*candidates.values(), among) for path in paths) > _MOST_COMPARED:
        return None
    known = {_digest(path) for path in among}
    return sum(_digest(path) in known for paths in candidates.values() for path in paths)


def _digest(path: str) -> bytes:
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=12).digest()
