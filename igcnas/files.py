"""Files that are there whole or not at all, and the faults of a machine that keep them from it.

Convention: a file is written under another name beside its own, flushed to the disk, and renamed. A process that is
killed leaves such a `.NAME.PID.tmp` behind, which the next one that writes NAME takes away. What the system refuses
(a full disk, a quota, a folder that may not be written) is a MachineError that names the file and the reason.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from igcnas.errors import MachineError

_ADVICE = {
    errno.ENOSPC: "make room and run the same command again",
    errno.EDQUOT: "make room within your quota and run the same command again",
    errno.EROFS: "the file system is read-only; name another folder",
    errno.EACCES: "give leave to write there, or name another folder",
    errno.EPERM: "give leave to write there, or name another folder",
    errno.EMFILE: "raise the number of files that a process may open (ulimit -n)",
    errno.ENFILE: "the system has too many open files; end other programs",
    errno.EIO: "the disk reports a fault; check it, or name a folder on another",
    errno.ENAMETOOLONG: "give a shorter name",
}
_HOUR = 3600.0


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; MachineError where the system refuses."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """UTF-8 with newlines as they are, on every system."""
    write_whole(path, text.encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The place of a new file that takes the name `path` when the block ends well, and goes when it does not.

    For libraries that write files themselves. The ending is that of `path`, by which some of them choose the format.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with naming_faults("write", path):
            _remove_left_behind(path)
            yield temporary
            _flush(temporary)
            os.replace(temporary, path)
            _flush_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def naming_faults(verb: str, path: Path | str) -> Iterator[None]:
    """Turn an OSError of the block into a MachineError: which file, why, what to do."""
    try:
        yield
    except OSError as error:
        raise MachineError(fault(verb, path, error)) from error


def fault(verb: str, path: Path | str, error: OSError) -> str:
    """One line: "cannot write FILE: No space left on device; make room and run the same command again"."""
    reason = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0)
    return f"cannot {verb} {path}: {reason}" + (f"; {advice}" if advice else "")


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has this number; True where that cannot be told."""
    if sys.platform == "win32":
        return True  # there os.kill ends a process, whatever the signal
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _remove_left_behind(path: Path) -> None:
    """Take away what killed processes left of earlier tries at this file."""
    head, tail = f".{path.stem}.", f".tmp{path.suffix}"
    with suppress(OSError):  # a folder that cannot be listed can still be written
        for entry in os.scandir(path.parent):
            pid = entry.name.removeprefix(head).removesuffix(tail)
            if not (entry.name.startswith(head) and entry.name.endswith(tail) and pid.isdecimal()):
                continue
            if not is_alive(int(pid)) or time.time() - entry.stat().st_mtime > _HOUR:
                os.unlink(entry.path)


def _flush(path: Path) -> None:
    """To the disk, not to its cache."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """The rename itself; Windows opens no folders, and some network file systems flush none."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
