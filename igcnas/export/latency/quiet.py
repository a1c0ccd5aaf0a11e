"""One timing at a time on a machine, whichever programs of this user time: two would disturb each other.

The lock is that of a file in the cache folder, so it ends with its process. Where no folder can be written, or the file
system has no locks, nobody waits; nor does anybody wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from igcnas.system.files import turn
from igcnas.system.folders import caches, writable

FILE = "timing.lock"
WAIT = 60.0  # seconds that a timing waits; one takes half a second to two


@contextmanager
def quiet(*, seconds: float = WAIT) -> Iterator[bool]:
    """A block in which this process times alone; False where that was not to be had."""
    folder = writable(caches())
    if folder is None:
        yield False
        return
    with turn(folder / FILE, seconds=seconds) as alone:
        yield alone
