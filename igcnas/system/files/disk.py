"""What the writers of this package ask of a disk: locks, renames, flushes, and what killed processes left."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

# What fsync answers where there is nothing to flush: pipes, some network file systems.
_UNFLUSHABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_SHARING = (5, 32)  # Windows: another process, a virus scanner say, has the file open for a moment
_TRIES, _PAUSE = 20, 0.05
_HOUR = 3600.0
LONGEST_NAME = 255  # bytes


def entries(folder: Path) -> list[Path]:
    """A folder that cannot be listed can still be written."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


@contextmanager
def left_behind(path: Path) -> Iterator[bool]:
    """Whether no process writes there any more; where locks do not tell, whether nobody has for an hour.

    Within the block none begins to: to take the file away only then is safe.
    """
    with ExitStack() as stack:
        if sys.platform != "win32":
            try:
                descriptor = os.open(path, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, FileNotFoundError):
                yield False
                return
            except OSError:  # a file system without locks, or no leave to read
                pass
            else:
                yield True
                return
        yield age(path) > _HOUR


def age(path: Path) -> float:
    """Seconds since it was written."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def lock(descriptor: int) -> None:
    """Until it is closed; where the file system has no locks, without."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextmanager
def turn(path: Path, *, seconds: float) -> Iterator[bool]:
    """Hold the lock of a file, which is made if need be; False where it was not to be had in so many seconds.

    False, too, where the file cannot be opened, or its system has no locks.
    """
    with ExitStack() as stack:
        yield sys.platform != "win32" and _has_turn(path, time.monotonic() + seconds, stack)


def _has_turn(path: Path, end: float, stack: ExitStack) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return False
    stack.callback(os.close, descriptor)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
        except OSError:
            return False


def open_locked(folder: Path) -> int | None:
    """The descriptor by which a folder is locked until `close`."""
    if sys.platform == "win32":  # it opens no folders
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    lock(descriptor)
    return descriptor


def close(descriptor: int | None) -> None:
    """None: there was nothing to hold."""
    if descriptor is not None:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """In one step. Windows refuses while another process has one of them open; that passes."""
    for left in reversed(range(_TRIES)):
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _SHARING or not left:
                raise
        time.sleep(_PAUSE)


def flush(path: Path) -> None:
    """To the disk, not to its cache."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """The same of an open file."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNFLUSHABLE:
            raise


def flush_folder(folder: Path) -> None:
    """The rename itself; Windows opens no folders, and the file has its name whether or not the folder is flushed."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest(path: Path) -> str:
    """A short name that stands for a long one."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
