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
import contextlib
import json
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
from igcnas.system.files import append, write_text

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
        (_TWO, removed()),
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
    add("--out", type=Path, metavar="FILE", help="keep what is found there; cases that it has are not tried again")
    add("--write", action="store_true", help="write benchmarks/results/full-disk.md")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        out = arguments.out or Path(stack.enter_context(tempfile.TemporaryDirectory()), "found.jsonl")
        _try_all(arguments.only, out)
        found = _read(out)
    if arguments.write:
        write_text(_PAGE, _page([found[key] for key in map(_key, cases()) if key in found]))
    return 1 if any(one["different"] or any(one["wrong"]) for one in found.values()) else 0


def _try_all(only: str, out: Path) -> None:
    """Each case that is not in the file yet."""
    wanted: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # for the other user
        disk, base = Path(folder, "disk"), Path(folder, "base")
        disk.mkdir()
        for work, fault in cases():
            key = _key((work, fault))
            if only not in key or key in _read(out):
                continue
            if work.on_study and not base.exists():
                _make_study(base)
            if work.name not in wanted:
                wanted[work.name] = undisturbed(work, disk, base, forks=True)
            course = disturbed(work, fault, disk, wanted[work.name], base, forks=True)
            text = json.dumps(_found(work, fault, course)).replace(str(disk), "DISK").replace(folder, "FOLDER")
            append(out, text.encode() + b"\n", lines=True)
            print(_row(_read(out)[key]), flush=True)
            for line in (*(stop.wrong for stop in course.stops if stop.wrong), *course.different):
                print(f"wrong: {line}", flush=True)


def _key(case: tuple[Work, Fault]) -> str:
    return f"{case[0].name}: {case[1].name}"


def _found(work: Work, fault: Fault, course: Course) -> dict[str, Any]:
    """What a page says of a case."""
    return {
        "command": work.name,
        "fault": fault.name,
        "words": work.shown(),
        "stops": [stop.what for stop in course.stops],
        "line": course.stops[0].line if course.stops else "",
        "left": sum(len(stop.left_behind) for stop in course.stops),
        "wrong": [stop.wrong for stop in course.stops],
        "different": list(course.different),
    }


def _read(out: Path) -> dict[str, dict[str, Any]]:
    """By command and fault."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    return {_key_of(one): one for one in map(json.loads, lines)}


def _key_of(one: dict[str, Any]) -> str:
    return f"{one['command']}: {one['fault']}"


def _make_study(base: Path) -> None:
    """A finished search, for the commands that read one."""
    words = works.BASE.format(disk=base.parent).split()
    subprocess.run([sys.executable, "-m", "igcnas", *words], check=True, stdout=subprocess.DEVNULL)


_COLUMNS = (
    *("command", "fault", "stops", "what could not be done, how often"),
    *("left behind", "not as it should be", "different"),
)


def _row(one: dict[str, Any]) -> str:
    what = ", ".join(f"{name} {number}" for name, number in sorted(Counter(one["stops"]).items()))
    wrong = sum(map(bool, one["wrong"]))
    cells = (one["command"], one["fault"], len(one["stops"]), what or "none: it goes on", one["left"], wrong)
    return "| " + " | ".join(map(str, (*cells, len(one["different"])))) + " |"


def _page(found: list[dict[str, Any]]) -> str:
    head = [f"| {' | '.join(_COLUMNS)} |", "|" + " --- |" * len(_COLUMNS)]
    table = "\n".join((*head, *map(_row, found)))
    commands = "\n".join(dict.fromkeys(f"- {one['command']}: `{one['words']}`" for one in found))
    lines = "\n".join(f"- {one['command']}, {one['fault']}: `{one['line']}`" for one in found if one["line"])
    tried = {_key_of(one) for one in found}
    left = [key for key in map(_key, cases()) if key not in tried]
    missing = f"Cases that have no result with this version yet: {'; '.join(left)}. " if left else ""
    return f"""# A disk that fails

{header("benchmarks.full_disk")}
Each command ran in a file system of its own, under a fault, until it stopped; the fault was mended, and the same
command went on, until it ended. `{Full.name}` and `{NoInodes.name}`: some more room after each stop.
`{LongFiles.name}`: a limit that doubles. The others come once, while the command works. A stop is as it should be if it
is one line, of this fault, with the place and the way out, with status 2, and leaves nothing half-written. Compared are
all that the command decides or measures, and the bytes of all weights, with the same command left alone.

{table}

{sum(len(one["stops"]) for one in found)} stops in all. {missing}The first line of each case:

{lines}

The commands, with DISK for the file system:

{commands}
"""


if __name__ == "__main__":
    sys.exit(main())
