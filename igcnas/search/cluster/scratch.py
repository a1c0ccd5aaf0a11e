"""The folder that the actors of a session have on a node, for this user alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from igcnas.errors import IgcnasError
from igcnas.system.files.disk import age

# A folder of another session without a process in it: one may be about to begin there.
_LEFT_SECONDS = 3600.0


def node_folder(session: str) -> Path:
    """A folder of this user's alone for what a session has on this node; those that ended sessions left are removed.

    Each process that uses it has a folder in it by its number.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    head = f"igcnas-ray-{user}-"
    top = Path(tempfile.gettempdir())
    for other in top.glob(f"{head}*"):
        if other.name != head + session and age(other) > _LEFT_SECONDS:
            leave(other)
    folder = top / f"{head}{session}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()  # what lies there is read back as a pickle: nobody else may have written it
    if folder.is_symlink() or (hasattr(os, "getuid") and (status.st_uid != user or status.st_mode & 0o077)):
        raise IgcnasError(f"{folder} is not a folder of this user's alone; remove it")
    return folder


def leave(folder: Path, *, own: str = "") -> None:
    """Remove such a folder, unless another process that is alive uses it. own: the number that no longer counts."""
    with suppress(OSError):
        users = [name for name in os.listdir(folder) if name.isdecimal() and name != own]
        if not any(psutil.pid_exists(int(name)) for name in users):
            shutil.rmtree(folder, ignore_errors=True)
        elif own:
            shutil.rmtree(folder / own, ignore_errors=True)


def remove(folder: Path) -> None:
    """Take a folder away with all that is in it, as far as the system lets it."""
    shutil.rmtree(folder, ignore_errors=True)
