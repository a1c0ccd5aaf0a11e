"""A search whose disk fills up again and again, against the same search left alone: python -m benchmarks.full_disk

Each round is a real search in a file system of its own in memory (tmpfs, which needs root on Linux), too small for it.
It must stop in one line, with status 2, and leave neither a failed network nor half a file. Then the file system grows
by some pages and the same command goes on, until it ends. Small steps let the disk fill at writes of every kind: the
journal, checkpoints, weights, results, settings, figures. Then everything is compared that a search decides or
measures, and the weights bit for bit.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kill_anywhere import differences, fingerprint, search_command, whole_search
from benchmarks.summary import header
from igcnas.files import write_text

SEARCH = [
    *["--budget-mflops", "0.05", "--networks", "4", "--epochs", "2", "--no-baselines", "--space", "igcv3"],
    *["--sampler", "tpe", "--workers", "1", "--seeds", "1"],
]
_ROOT = Path(__file__).parents[1]
_PAGE = Path(__file__).parent / "results" / "full-disk.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How a run ended before its time. left_behind: files under another name than theirs."""

    kilobytes: int
    line: str
    left_behind: tuple[str, ...]

    @property
    def file(self) -> str:
        """What could not be written."""
        return Path(self.line.removeprefix("error: cannot ").partition(": ")[0].split()[-1]).name


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int, *, inodes: int = 0) -> Iterator[None]:
    """A file system of this size at the folder; OSError where this process may not mount one. inodes: 0 for many."""
    options = f"size={kilobytes}k,nr_inodes={inodes}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise OSError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change the size of a small disk, or whether it may be written."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def run(studies: Path, name: str, options: list[str]) -> tuple[int, str]:
    """A search to its end, whatever that is: its status, and what it said on stderr."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
    command = search_command(studies, name, options)
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    return done.returncode, done.stderr


def left_behind(folder: Path) -> tuple[str, ...]:
    """Files and folders that are no part of a study."""
    return tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(".")))


def filled_search(disk: Path, name: str, options: list[str], *, kilobytes: int, step: int) -> list[Stop]:
    """The search in a mounted disk of so many kB that grows by `step` after each stop; the stops, until it has ended.

    RuntimeError where it stops in any other way than it should.
    """
    stops: list[Stop] = []
    while True:
        status, words = run(disk / "studies", name, options)
        if status == 0:
            return stops
        lines = words.strip().splitlines()
        if status != 2 or not lines or not lines[-1].startswith("error: cannot ") or "Traceback" in words:
            raise RuntimeError(f"with {kilobytes} kB the search ended with status {status}:\n{words[-3000:]}")
        stops.append(Stop(kilobytes=kilobytes, line=lines[-1], left_behind=left_behind(disk)))
        kilobytes += step
        remount(disk, f"size={kilobytes}k")


def main() -> int:
    """A round for each first size and step; a page of all stops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--first", type=int, nargs="+", default=[4, 68], metavar="KB", help="first sizes (default: 4 68)")
    add("--step", type=int, nargs="+", default=[8, 20], metavar="KB", help="growth after a stop (default: 8 20)")
    add("--write", action="store_true", help="write benchmarks/results/full-disk.md")
    arguments = parser.parse_args()
    rows, kinds, wrong = [], Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        alone, disk = Path(folder, "alone"), Path(folder, "disk")
        alone.mkdir()
        disk.mkdir()
        whole_search(alone, "study", SEARCH)
        wanted = fingerprint(alone / "study")
        for first, step in zip(arguments.first, arguments.step, strict=True):
            with small_disk(disk, first):
                stops = filled_search(disk, "study", SEARCH, kilobytes=first, step=step)
                found = differences(wanted, fingerprint(disk / "studies" / "study"))
            names = Counter(stop.file for stop in stops)
            files = ", ".join(f"{name} {number}" for name, number in sorted(names.items()))
            left = sum(len(stop.left_behind) for stop in stops)
            last = stops[-1].kilobytes if stops else first
            rows.append([first, step, len(stops), last, files, left, len(found)])
            kinds += names
            wrong += len(found) + left
            print("| " + " | ".join(map(str, rows[-1])) + " |", flush=True)
            for line in found:
                print(f"different: {line}")
    if arguments.write:
        write_text(_PAGE, _page(rows, kinds))
    return 1 if wrong else 0


_COLUMNS = (
    "first size, kB",
    "growth, kB",
    "stops",
    "last size that was too small, kB",
    "what could not be written, how often",
    "files left behind",
    "different",
)


def _page(rows: list[list[object]], kinds: Counter[str]) -> str:
    lines = [_COLUMNS, ["---"] * len(_COLUMNS), *rows]
    table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return f"""# A disk that fills up

{header("benchmarks.full_disk")}
`igcnas search {" ".join(SEARCH)}`
in a file system in memory, with a checkpoint every 0.05 s. Each stop was one line with status 2; then the disk grew and
the same command went on, until it ended. Compared are all that a search decides or measures, and the bytes of all
weights, with the same search left alone.

{table}

{kinds.total()} stops in all.
"""


if __name__ == "__main__":
    sys.exit(main())
