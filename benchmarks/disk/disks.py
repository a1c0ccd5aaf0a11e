"""A file system of its own in memory (tmpfs, as root on Linux), and the faults that come to it.

A fault is there from the start (`arm`) or comes while the command runs (`strike`); `mend` is what a user does about it
before the command is given again.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

USER = 54321  # of nobody here
LARGE = 64_000  # kB


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int, *, inodes: int = 0) -> Iterator[None]:
    """A file system of this size at the folder; OSError where this process may not mount one. inodes: 0 for many."""
    options = f"size={kilobytes}k,nr_inodes={inodes or 100_000}"
    _system("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    try:
        yield
    finally:
        _system("umount", str(folder))


def remount(folder: Path, options: str) -> None:
    """Change the size of a small disk, or whether it may be written."""
    _system("mount", "-o", f"remount,{options}", str(folder))


def _system(*command: str) -> None:
    """OSError, with what it said, where a program of the system fails."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())


@dataclass(kw_only=True)
class Fault:
    """What may happen to a disk. words: the system's for it, one of them. during: it comes while the command runs.

    user: the command runs as that one, None: as ours.
    """

    name: str
    words: tuple[str, ...]
    during: bool = False
    user: int | None = None

    def mounted(self, disk: Path) -> contextlib.AbstractContextManager[None]:
        """The file system, with room."""
        return small_disk(disk, LARGE)

    def arm(self, disk: Path) -> None:
        """Before the first run, when all that the command reads is there."""

    def limit(self) -> None:
        """In the process of the command, before it begins."""

    def strike(self, disk: Path, output: Path) -> bool:
        """While the command runs; whether it could be done just now."""
        return True

    def mend(self, disk: Path, output: Path) -> None:
        """Before the next run."""


@dataclass(kw_only=True)
class Full(Fault):
    """So many kB of room, and so many more after each stop."""

    name: str = "full"
    words: tuple[str, ...] = ("No space left on device",)
    room: int = 8
    step: int = 40
    size: int = field(default=0, init=False)

    def arm(self, disk: Path) -> None:
        """Leave no more room than that."""
        self.size = _used(disk) + self.room
        remount(disk, f"size={self.size}k")

    def mend(self, disk: Path, output: Path) -> None:
        """Make room."""
        self.size += self.step
        remount(disk, f"size={self.size}k")


@dataclass(kw_only=True)
class NoInodes(Fault):
    """So many files more than there are, and so many more after each stop."""

    name: str = "no inodes"
    words: tuple[str, ...] = ("No space left on device",)
    room: int = 2
    step: int = 4
    number: int = field(default=0, init=False)

    def arm(self, disk: Path) -> None:
        """Leave no more than that."""
        found = os.statvfs(disk)
        self.number = found.f_files - found.f_ffree + self.room
        remount(disk, f"nr_inodes={self.number}")

    def mend(self, disk: Path, output: Path) -> None:
        """Allow more."""
        self.number += self.step
        remount(disk, f"nr_inodes={self.number}")


@dataclass(kw_only=True)
class LongFiles(Fault):
    """No file may be longer than so many kB (RLIMIT_FSIZE, ulimit -f); twice as long after each stop."""

    name: str = "ulimit -f"
    words: tuple[str, ...] = ("File too large",)
    longest: int = 2

    def limit(self) -> None:
        """Of this process and those that it starts."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.longest * 1024, resource.RLIM_INFINITY))

    def mend(self, disk: Path, output: Path) -> None:
        """Raise it."""
        self.longest *= 2


@dataclass(kw_only=True)
class ReadOnly(Fault):
    """The file system can be read alone from one moment on, as after an error of the disk: an ext4 of its own."""

    name: str = "read-only in the middle"
    words: tuple[str, ...] = ("Read-only file system", "Input/output error")  # the latter of files that were open
    during: bool = True

    @contextlib.contextmanager
    def mounted(self, disk: Path) -> Iterator[None]:
        """In a file beside the disk."""
        image = disk.with_suffix(".ext4")
        with image.open("wb") as file:
            file.truncate(LARGE * 1024)
        _system("mkfs.ext4", "-q", "-F", str(image))
        _system("mount", "-o", "loop", str(image), str(disk))
        try:
            yield
        finally:
            _system("umount", str(disk))
            image.unlink()

    def arm(self, disk: Path) -> None:
        """What was copied there must not be lost with what the command writes."""
        _system("sync", "--file-system", str(disk))

    def strike(self, disk: Path, output: Path) -> bool:
        """What ext4 does by itself where its disk fails; a plain remount is refused while a file is open there."""
        remount(disk, "abort")
        return True

    def mend(self, disk: Path, output: Path) -> None:
        """Mount it again."""
        _system("umount", str(disk))
        _system("mount", "-o", "loop", str(disk.with_suffix(".ext4")), str(disk))


@dataclass(kw_only=True)
class NoLeave(Fault):
    """Somebody takes from the user who runs the command the leave to write in its folders."""

    name: str = "no leave in the middle"
    words: tuple[str, ...] = ("Permission denied",)
    during: bool = True
    user: int | None = USER

    def strike(self, disk: Path, output: Path) -> bool:
        """To read them is still allowed."""
        _chmod(disk, 0o555)
        return True

    def mend(self, disk: Path, output: Path) -> None:
        """As it was."""
        _chmod(disk, 0o755)


@dataclass(kw_only=True)
class Gone(Fault):
    """The folder is moved away under a command that writes there, and brought back."""

    name: str = "folder away in the middle"
    words: tuple[str, ...] = ("No such file or directory",)
    during: bool = True
    back: bool = True

    def strike(self, disk: Path, output: Path) -> bool:
        """Its name is nobody's now."""
        output.rename(disk / "away")
        return True

    def mend(self, disk: Path, output: Path) -> None:
        """RuntimeError where the command has put something into its place meanwhile."""
        if output.exists():
            raise RuntimeError(f"in place of what was moved away: {sorted(map(str, output.rglob('*')))}")
        if self.back:
            (disk / "away").rename(output)
        else:
            shutil.rmtree(disk / "away")


def removed() -> Gone:
    """The folder is lost: nothing comes back."""
    return Gone(name="folder removed in the middle", back=False)


def give(disk: Path, fault: Fault) -> None:
    """All that is there to the user of the fault."""
    if fault.user is not None:
        for path in (disk, *disk.rglob("*")):
            os.chown(path, fault.user, fault.user)


def _used(disk: Path) -> int:
    """In kB."""
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize // 1024


def _chmod(disk: Path, mode: int) -> None:
    for path in (disk, *disk.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir():
                path.chmod(mode)
