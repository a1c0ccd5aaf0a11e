"""Files in a folder or in a tar archive, read alike. An archive is read in place: nothing is unpacked to disk.

Only plain files at most one folder deep count. Links are skipped (one may point anywhere), and a path in an archive is
never opened, only compared, so it cannot lead outside.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from igcnas.data.bounds import size
from igcnas.errors import DataError

_CHUNK_BYTES = 1 << 20
# The largest file of CIFAR has 155 MB, the largest archive 185 MB unpacked; more is no CIFAR, or made to fill memory.
_MOST_FILE = 400_000_000
_MOST_ARCHIVE = 2_000_000_000

# What a cut or overwritten archive makes tarfile and its decompressors raise.
_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError)


def file_names(place: Path) -> set[str]:
    """The names, without folders, of the files in a folder or an archive. DataError if it cannot be read."""
    try:
        if place.is_dir():
            return {path.name for path in place.iterdir() if path.is_file()}
        return {name for name, _, _ in _members(place)}
    except _DAMAGE as error:
        raise _unreadable(place, error) from error


def file_contents(place: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """The bytes of those wanted files which the folder or archive has, by name. DataError if it cannot be read."""
    try:
        if place.is_dir():
            return {name: _read_file(place / name) for name in wanted if (place / name).is_file()}
        return {name: _read(archive, member) for name, archive, member in _members(place) if name in wanted}
    except _DAMAGE as error:
        raise _unreadable(place, error) from error


def _members(place: Path) -> Iterator[tuple[str, tarfile.TarFile, tarfile.TarInfo]]:
    """Name, archive and entry of each plain file, in the order in which one pass over a gzip stream can read them."""
    with tarfile.open(place, "r:*") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if archive.offset > _MOST_ARCHIVE:
                raise _TooLargeError(f"it unpacks to more than {size(_MOST_ARCHIVE)}")
            if member.isreg() and len(path.parts) <= 2:
                yield path.name, archive, member
        # tarfile stops at its own end mark; only the end of a gzip stream has the checksum that a flipped bit fails.
        behind = 0
        while archive.fileobj is not None and (chunk := archive.fileobj.read(_CHUNK_BYTES)):
            behind += len(chunk)
            if behind > _MOST_ARCHIVE:
                raise _TooLargeError(f"it unpacks to more than {size(_MOST_ARCHIVE)}")


class _TooLargeError(OSError):
    """More bytes than CIFAR has."""


def _read_file(path: Path) -> bytes:
    _check_size(path.stat().st_size, path.name)
    return path.read_bytes()


def _check_size(found: int, name: str) -> None:
    if found > _MOST_FILE:
        raise _TooLargeError(f"{name} has {size(found)}, more than any file of CIFAR")


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    _check_size(member.size, member.name[:100])
    file = archive.extractfile(member)
    assert file is not None, "only plain files are read"
    return file.read()


def _unreadable(place: Path, error: BaseException) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    kind = "folder that may be read" if place.is_dir() else "whole tar archive: it is truncated, or not an archive"
    if isinstance(error, _TooLargeError):
        kind = "folder of CIFAR" if place.is_dir() else "archive of CIFAR"
    return DataError(f"{str(place)!r} is no {kind} ({reason}); fetch it again, or correct the path")
