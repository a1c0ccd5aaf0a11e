"""Seconds and memory that commands take on a study of many networks.

python -m benchmarks.load --networks 1000 9000 --folder DIR

The studies are those of `benchmarks.report_time`: real journals, written by the real search, whose trainings a stand-in
ends at once. Making one of 9,000 takes half an hour; those that are in DIR already are used. Each command runs in a
process of its own, with the snapshot of the journal removed before the first one, and there for all others.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report_time import make
from benchmarks.summary import header
from igcnas.search.snapshot import FILE

OPTUNA = (
    "from pathlib import Path; from igcnas.search.folder import open_study; "
    "open_study(Path({folder!r})).get_trials(deepcopy=False)"
)


def measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds on the wall and of a core, and megabytes at most."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def commands(folder: Path) -> dict[str, list[str]]:
    """By what the table calls them, in the order in which they are measured."""
    ours = [sys.executable, "-m", "igcnas"]
    return {
        "opened by Optuna": [sys.executable, "-c", OPTUNA.format(folder=str(folder))],
        "status, no snapshot": [*ours, "status", str(folder)],
        "status": [*ours, "status", str(folder)],
        "plot": [*ours, "plot", str(folder)],
        "report, importance analysed": [*ours, "report", str(folder)],
        "report": [*ours, "report", str(folder)],
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, nargs="+", default=[1000], metavar="N")
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="where the studies are, or are made")
    arguments = parser.parse_args()
    print(header("benchmarks.load"))
    print("\n| networks | command | wall, s | core, s | memory, MB |\n|---|---|---|---|---|")
    for networks in arguments.networks:
        folder = arguments.folder / f"made-{networks}"
        if not folder.exists():
            make(folder, networks)
        for name in (FILE, "importance.json"):
            (folder / name).unlink(missing_ok=True)
        for name, command in commands(folder).items():
            wall, core, memory = measured(command)
            print(f"| {networks:,} | {name} | {wall:.1f} | {core:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
