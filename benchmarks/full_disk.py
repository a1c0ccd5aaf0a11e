"""Commands whose disk fails them, against the same commands left alone: python -m benchmarks.full_disk

Each case is a real command in a file system of its own (which needs root on Linux): one in memory that is too small,
in bytes or in files, one that turns read-only, folders that are taken away, limits of the size of files. Every stop
must be one line with the place, the fault and the way out, with status 2; no half-written file and no network that
counts as failed may stay. Then the fault is mended and the same command goes on, until it ends. Small steps let a disk
fill at writes of every kind. At the end all that the command decides or measures is compared, and weights bit for bit.

A command begins in a copy of this process, which has imported the libraries; its training processes are their own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.disk import works
from benchmarks.disk.disks import Fault, Full, Gone, LongFiles, NoInodes, NoLeave, ReadOnly, removed
from benchmarks.disk.trying import Course, disturbed, undisturbed
from benchmarks.disk.works import Work
from benchmarks.summary import header
from igcnas.files import write_text

_PAGE = Path(__file__).parent / "results" / "full-disk.md"
_ONE, _TWO = works.search(workers=1, networks=4), works.search(workers=2, networks=4)


def cases() -> list[tuple[Work, Fault]]:
    """Every command with every fault that it is tried under."""
    return [
        (works.TRAIN, Full(room=8, step=150)),
        (works.TRAIN, ReadOnly()),
        (works.TRAIN, removed()),
        (works.TRAIN, NoLeave()),
        (works.RETRAIN, Full(room=8, step=150)),
        (works.RETRAIN, NoInodes(room=3, step=14)),
        (works.AUDIT, Full(room=4, step=150)),
        (works.AUDIT, ReadOnly()),
        (works.COMPARE, Full(room=8, step=200)),
        (works.IMPORTANCE, Full(room=8, step=200)),
        (works.TRIAL, Full(room=12, step=150)),
        (works.TRIAL, ReadOnly()),
        (_TWO, Full(room=8, step=100)),
        (_TWO, NoInodes(room=2, step=14)),
        (_TWO, ReadOnly()),
        (_TWO, NoLeave()),
        (_TWO, Gone()),
        (_TWO, LongFiles(longest=16)),
        (works.REPORT, Full(room=8, step=1000)),
        (works.EXPORT, Full(room=8, step=150)),
        (works.EXPORT_TEMPORARY, Full(room=8, step=4000)),
        (works.CACHED, Full(room=8)),
        (_ONE, Full(room=4, step=60)),
    ]


def main() -> int:
    """A line for each case; a page of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--only", default="", metavar="TEXT", help="cases with this in 'command: fault'")
    add("--write", action="store_true", help="write benchmarks/results/full-disk.md")
    arguments = parser.parse_args()
    found: list[tuple[Work, Fault, Course]] = []
    wanted: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # for the other user
        disk, base = Path(folder, "disk"), Path(folder, "base")
        disk.mkdir()
        for work, fault in cases():
            if arguments.only not in f"{work.name}: {fault.name}":
                continue
            if work.on_study and not base.exists():
                _make_study(base)
            if work.name not in wanted:
                wanted[work.name] = undisturbed(work, disk, base, forks=True)
            course = disturbed(work, fault, disk, wanted[work.name], base, forks=True)
            found.append((work, fault, course))
            print(_row(work, fault, course), flush=True)
            for line in (*(stop.wrong for stop in course.stops if stop.wrong), *course.different):
                print(f"wrong: {line}", flush=True)
            if arguments.write:  # each time: what is found stays if the rest is cut off
                write_text(_PAGE, _page(found).replace(str(disk), "DISK").replace(folder, "FOLDER"))
    return 1 if any(course.is_wrong for _, _, course in found) else 0


def _make_study(base: Path) -> None:
    """A finished search, for the commands that read one."""
    words = works.BASE.format(disk=base.parent).split()
    subprocess.run([sys.executable, "-m", "igcnas", *words], check=True, stdout=subprocess.DEVNULL)


_COLUMNS = (
    "command",
    "fault",
    "stops",
    "what could not be done, how often",
    "left behind",
    "not as it should be",
    "different",
)


def _row(work: Work, fault: Fault, course: Course) -> str:
    names = Counter(stop.what for stop in course.stops)
    what = ", ".join(f"{name} {number}" for name, number in sorted(names.items()))
    left = sum(len(stop.left_behind) for stop in course.stops)
    wrong = sum(bool(stop.wrong) for stop in course.stops)
    cells = (work.name, fault.name, len(course.stops), what or "goes on", left, wrong, len(course.different))
    return "| " + " | ".join(map(str, cells)) + " |"


def _page(found: list[tuple[Work, Fault, Course]]) -> str:
    head = [f"| {' | '.join(_COLUMNS)} |", "|" + " --- |" * len(_COLUMNS)]
    table = "\n".join((*head, *(_row(*case) for case in found)))
    commands = "\n".join(dict.fromkeys(f"- {work.name}: `{work.shown()}`" for work, _, _ in found))
    lines = dict.fromkeys((fault.name, course.stops[0].line) for _, fault, course in found if course.stops)
    shown = "\n".join(f"- {name}: `{line}`" for name, line in lines)
    stops = sum(len(course.stops) for _, _, course in found)
    return f"""# A disk that fails

{header("benchmarks.full_disk")}
Each command ran in a file system of its own, under a fault, until it stopped; the fault was mended, and the same
command went on, until it ended. `{Full.name}` and `{NoInodes.name}`: some more room after each stop.
`{LongFiles.name}`: a limit that doubles. The others come once, while the command works. A stop is as it should be if it
is one line, of this fault, with the place and the way out, with status 2, and leaves nothing half-written. Compared are
all that the command decides or measures, and the bytes of all weights, with the same command left alone.

{table}

{stops} stops in all. The first line of each case:

{shown}

The commands, with DISK for the file system:

{commands}
"""


if __name__ == "__main__":
    sys.exit(main())
