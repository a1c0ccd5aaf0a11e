"""Folders that are there whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from igcnas.errors import MachineError
from igcnas.system.files import disk
from igcnas.system.files.faults import fault, naming_faults, reason_of


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends well, and goes when it does not.

    There is a moment without either; a process that is killed in it leaves the old one to `restore_folder`.
    """
    folder = Path(os.path.realpath(folder))
    with naming_faults("write", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        restore_folder(folder)
        new = folder.with_name(f".{_short(folder)}.{secrets.token_hex(4)}.new")
        new.mkdir()
        old, held = new.with_suffix(".old"), [disk.open_locked(new)]
        try:
            yield new
            disk.flush_folder(new)
            if folder.exists():
                held.append(disk.open_locked(folder))
                disk.rename(folder, old)
            disk.rename(new, folder)
            disk.flush_folder(folder.parent)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if old.exists() and not folder.exists():  # interrupted between the two renames
                disk.rename(old, folder)
            shutil.rmtree(old, ignore_errors=True)
            for descriptor in held:
                disk.close(descriptor)


def restore_folder(folder: Path) -> None:
    """Take away what killed processes left beside `folder`; if one had just moved it away, bring it back."""
    folder = Path(os.path.realpath(folder))
    ours = re.compile(rf"\.{re.escape(_short(folder))}\.[0-9a-f]+\.(new|old)")
    left = [path for path in disk.entries(folder.parent) if ours.fullmatch(path.name)]
    for path in sorted(left, key=disk.age):  # the last one first
        with disk.left_behind(path) as gone:
            if not gone:
                continue
            if path.suffix == ".old" and not folder.exists():
                disk.rename(path, folder)
            else:
                shutil.rmtree(path, ignore_errors=True)


def make_folder(path: Path, *, advice: str = "", within: Path | None = None) -> None:
    """Make a folder and those above it, if it is not there; `advice` is what a user may do instead.

    within: a folder above that must be there. If it was moved away, nothing takes its place.
    """
    try:
        if within is not None:
            within.stat()
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make {path}: {reason_of(error)}; {advice}" if advice else fault("make", path, error)
        raise MachineError(reason) from error


def _short(path: Path) -> str:
    """The name, or a digest where names made from it would be too long."""
    return path.name if len(os.fsencode(path.name)) + 16 <= disk.LONGEST_NAME else disk.digest(path)
