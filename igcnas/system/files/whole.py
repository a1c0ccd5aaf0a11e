"""One file, written whole or not at all, added to, or read back."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from igcnas.system.files import disk
from igcnas.system.files.faults import naming_faults

# A file is damaged if the disk answers so; with any other answer it may well be whole.
_DAMAGED = (errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; MachineError where the system refuses."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """UTF-8 with newlines as they are, on every system."""
    write_whole(path, text.encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The place of a new file that takes the name `path` when the block ends well, and goes when it does not.

    For libraries that write files themselves. The ending is that of `path`, by which some of them choose the format.
    """
    with naming_faults("write", path):
        before = _status(path)
        if before is not None and stat.S_ISDIR(before.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if before is not None and not stat.S_ISREG(before.st_mode):
            yield path  # a device, a pipe: to rename something to its name would end it
            return
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        _remove_left_behind(target)
        temporary, held = _new_file(target)
        try:
            yield temporary
            disk.flush(temporary)
            if before is not None:
                with suppress(OSError):
                    os.chmod(temporary, stat.S_IMODE(before.st_mode))
            disk.rename(temporary, target)
            disk.flush_folder(target.parent)
        finally:
            with suppress(OSError):
                temporary.unlink()
            disk.close(held)


def check_writable(path: Path) -> None:
    """MachineError where no file can be written there; to be asked before work is spent on what it is to hold."""
    with suppress(_EnoughError), replacing(path):
        raise _EnoughError  # the new file goes, and what is there stays


class _EnoughError(Exception):
    """A file could be written, and need not be."""


def append(path: Path, content: bytes, *, lines: bool = False) -> None:
    """Add to the end of a file, all of it or nothing. lines: on a new one, where a killed process left half a line."""
    with naming_faults("write", path), open(path, "ab+", buffering=0) as file:
        disk.lock(file.fileno())
        end = file.seek(0, os.SEEK_END)
        if lines and end:
            file.seek(end - 1)
            content = content if file.read(1) == b"\n" else b"\n" + content
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            disk.sync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise


def remove(path: Path) -> None:
    """Take a file away, if it is there; MachineError where the system refuses."""
    with naming_faults("remove", path):
        path.unlink(missing_ok=True)


def read_back(path: Path) -> bytes | None:
    """What a file holds, nothing where the disk cannot give it back; None if there is no such file.

    MachineError where it may be whole and is only out of reach: no leave to read it, too many open files.
    """
    with naming_faults("read", path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in _DAMAGED:
                return b""
            raise


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:  # not there, or a link to nothing; what else may be wrong, the write will tell
        return None


def _frame(path: Path) -> tuple[str, str]:
    """Begin and end of the names under which a file is written."""
    head, tail = f".{path.stem}.", f".tmp{path.suffix}"
    if len(os.fsencode(head + tail)) + 8 <= disk.LONGEST_NAME:
        return head, tail
    return f".{disk.digest(path)}.", f".tmp{path.suffix if len(os.fsencode(path.suffix)) < 100 else ''}"


def _new_file(target: Path) -> tuple[Path, int | None]:
    """An empty file beside `target`, and the descriptor by which it stays locked."""
    head, tail = _frame(target)
    while True:
        path = target.with_name(f"{head}{secrets.token_hex(4)}{tail}")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        if sys.platform == "win32":  # a file that is open cannot be renamed there
            os.close(descriptor)
            return path, None
        disk.lock(descriptor)
        if path.exists():  # else taken for left behind, in the moment before it was locked
            return path, descriptor
        os.close(descriptor)


def _remove_left_behind(target: Path) -> None:
    head, tail = _frame(target)
    for path in disk.entries(target.parent):
        token = path.name[len(head) : len(path.name) - len(tail)]
        if not (path.name.startswith(head) and path.name.endswith(tail) and token.isalnum()):
            continue
        with disk.left_behind(path) as gone, suppress(OSError):
            if gone:
                path.unlink()
