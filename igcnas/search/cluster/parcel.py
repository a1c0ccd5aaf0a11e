"""The files of one training, carried between the folder of the study and a folder of the node that trains.

Only the controller writes into the study. A node works on copies: it is sent what the training goes on from, and what
it leaves or changes comes back, with the results last, so that a result is never there without its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from igcnas.system.files import make_folder, read_back, remove, write_whole

# By paths inside the folder; None for a file that is gone.
Files = Mapping[str, bytes | None]


def packed(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Those of these files that are there."""
    found = {name: read_back(folder / name) for name in names}
    return {name: content for name, content in found.items() if content is not None}


def unpack(folder: Path, files: Files) -> None:
    """Write each file whole, results last; MachineError where the system refuses."""
    for name in sorted(files, key=lambda name: (name.endswith(".json"), name)):
        content, path = files[name], folder / name
        if content is None:
            remove(path)
        else:
            make_folder(path.parent)
            write_whole(path, content)


class Watched:
    """A folder on a node, and what has changed in it since it was looked at last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known = self._marks()

    def changed(self) -> dict[str, bytes | None]:
        """What is new or another since, with its content; None for what is gone."""
        before, now = self._known, self._marks()
        self._known = now
        found: dict[str, bytes | None] = {
            name: read_back(self.folder / name) for name, mark in now.items() if before.get(name) != mark
        }
        return found | dict.fromkeys(before.keys() - now.keys())

    def _marks(self) -> dict[str, tuple[int, int, int]]:
        """What tells a file from the one that it replaced. Files that are being written begin with a dot."""
        marks = {}
        for path in self.folder.rglob("*"):
            try:
                if not path.name.startswith(".") and path.is_file():
                    status = path.stat()
                    marks[path.relative_to(self.folder).as_posix()] = (
                        status.st_mtime_ns,
                        status.st_size,
                        status.st_ino,
                    )
            except FileNotFoundError:  # replaced or removed meanwhile
                continue
        return marks
