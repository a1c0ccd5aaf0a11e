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
from typing import Self

from igcnas.data.bounds import size
from igcnas.errors import DataError

_CHUNK_BYTES = 1 << 20
# The largest file of CIFAR has 155 MB, the largest archive ten files and 185 MB unpacked. More is no CIFAR, or made to
# fill memory: a few bytes of gzip can unpack to any number of zeros.
_MOST_BYTES, _MOST_UNPACKED = 400_000_000, 2_000_000_000
_MOST_MEMBERS, _MOST_NAME = 10_000, 1 << 20

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
            return {name: _content(place / name) for name in wanted if (place / name).is_file()}
        return {name: _read(archive, member) for name, archive, member in _members(place) if name in wanted}
    except _DAMAGE as error:
        raise _unreadable(place, error) from error


def _members(place: Path) -> Iterator[tuple[str, tarfile.TarFile, tarfile.TarInfo]]:
    """Name, archive and entry of each plain file, in the order in which one pass over a gzip stream can read them."""
    if not place.is_file():
        raise tarfile.ReadError("no regular file")  # a pipe or a device would never end
    with tarfile.open(place, "r:*", tarinfo=_Entry) as archive:
        for number, member in enumerate(archive):
            if number >= _MOST_MEMBERS:
                raise _TooLargeError(f"it has more than {_MOST_MEMBERS:,} files")
            if member.offset_data + member.size > _MOST_UNPACKED:
                raise _TooLargeError(f"it unpacks to more than {size(_MOST_UNPACKED)}")
            path = PurePosixPath(member.name)
            if member.isreg() and len(path.parts) <= 2:
                yield path.name, archive, member
        # tarfile stops at its own end mark; only the end of a gzip stream has the checksum that a flipped bit fails.
        while archive.fileobj is not None and archive.fileobj.read(_CHUNK_BYTES):
            if archive.fileobj.tell() > _MOST_UNPACKED:
                raise _TooLargeError(f"it unpacks to more than {size(_MOST_UNPACKED)}")


class _Entry(tarfile.TarInfo):
    """An entry whose long name or extended header is no longer than any name: tarfile reads those into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """The entry in a block of 512 bytes."""
        entry = super().frombuf(buf, encoding, errors)
        if entry.type not in tarfile.REGULAR_TYPES and entry.size > _MOST_NAME:
            raise tarfile.ReadError(f"an extended header of {entry.size:,} bytes")
        return entry


class _TooLargeError(OSError):
    """More bytes than CIFAR has."""


def _content(path: Path) -> bytes:
    _check_size(path.stat().st_size, path.name)
    return path.read_bytes()


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    _check_size(member.size, member.name[:100])
    file = archive.extractfile(member)
    assert file is not None, "only plain files are read"
    return file.read()


def _check_size(found: int, name: str) -> None:
    if found > _MOST_BYTES:
        raise _TooLargeError(f"{name} has {size(found)}, more than any file of CIFAR")


def _unreadable(place: Path, error: BaseException) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    kind = "folder that may be read" if place.is_dir() else "whole tar archive: it is truncated, or not an archive"
    if isinstance(error, _TooLargeError):
        kind = "folder of CIFAR" if place.is_dir() else "archive of CIFAR"
    return DataError(f"{str(place)!r} is no {kind} ({reason}); fetch it again, or correct the path")
