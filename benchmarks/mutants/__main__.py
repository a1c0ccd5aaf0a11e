"""Try small faults of the code against the tests that reach them, and write the page of what became of them.

    python -m benchmarks.mutants run --out after.jsonl [--parts racing storage] [--longest 3]
    python -m benchmarks.mutants page --column before before.jsonl --column now after.jsonl

`run` goes on where the file ends. What it names as survived the quick tests alone is tried again on all of them by the
same command without `--longest`; `--survivors test_new` tries what lived on the tests that are named like this. Why one
may live is told in data/survivors.json, by its module and its statement. For Linux.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.mutants.changes import Mutant, every_mutant
from benchmarks.mutants.outcomes import Outcome, append, key, outcome, read
from benchmarks.mutants.page import changed_since, page
from benchmarks.mutants.parts import PARTS, ROOT, test_files
from benchmarks.mutants.processes import forked, share
from benchmarks.mutants.reach import reach
from benchmarks.mutants.trying import PATIENCE, anew, try_all

_OUT = ROOT / "benchmarks" / "results" / "mutation.md"
_REASONS = ROOT / "benchmarks" / "data" / "survivors.json"
_LIBRARIES = (
    "numpy",
    "scipy.optimize",
    "scipy.stats",
    "torch",
    "torch._dynamo",
    "optuna",
    "hypothesis",
    "pytest",
    "pandas",
)


def main() -> None:
    """Run, or write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument(
        "--out", type=Path, required=True, help="JSON lines; mutants that it holds are not tried again"
    )
    running.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    running.add_argument("--sample", type=int, metavar="N", help="so many mutants of a part, drawn (default: all)")
    running.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    running.add_argument(
        "--longest", type=float, default=math.inf, metavar="S", help="leave out tests that take longer"
    )
    running.add_argument(
        "--share", default="1/1", metavar="K/N", help="every Nth mutant from the Kth, to run N at once"
    )
    running.add_argument(
        "--survivors",
        nargs="*",
        metavar="TEST",
        help="those again that lived, on all tests or on those named like this",
    )
    paging = commands.add_parser("page")
    paging.add_argument("--column", nargs=2, action="append", required=True, metavar=("HEAD", "FILE"), dest="columns")
    paging.add_argument("--out", type=Path, default=_OUT, help="the page (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "page":
        _page(arguments)
    else:
        _try(arguments)


def _page(arguments: argparse.Namespace) -> None:
    columns = {head: read(Path(file)) for head, file in arguments.columns}
    *_, last = columns.values()
    if changed := changed_since(last, ROOT):
        raise SystemExit(f"{', '.join(changed)} changed since; try its mutants again")
    reasons = json.loads(_REASONS.read_text(encoding="utf-8"))
    arguments.out.write_text(page(columns, reasons, patience=PATIENCE), encoding="utf-8")


def _try(arguments: argparse.Namespace) -> None:
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.dont_write_bytecode = True
    for library in _LIBRARIES:
        importlib.import_module(library)
    share()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes its processes along
    with tempfile.TemporaryDirectory() as folder:
        copied = _copy(Path(folder).resolve())
        for part in arguments.parts:
            _run(part, copied, arguments)


def _run(part: str, copied: Path, arguments: argparse.Namespace) -> None:
    every = every_mutant(part, copied)
    random.Random(f"{arguments.seed} {part}").shuffle(every)
    first, step = map(int, arguments.share.split("/"))
    chosen = _left(every[: arguments.sample][first - 1 :: step], read(arguments.out), arguments)
    if chosen:
        found = reach(part, copied, longest=arguments.longest, like=arguments.survivors or ("",))
        quick = [name for name, took in found.seconds.items() if took <= arguments.longest]
        print(f"{part}: {len(chosen)} mutants, {len(quick)} of {len(found.seconds)} tests", flush=True)
        if forked(lambda: anew(copied, test_files(part), quick, found), seconds=math.inf) != "done":
            raise SystemExit(f"the tests of {part} fail in the order of their time")
        selected = {mutant: found.tests(mutant, longest=arguments.longest) for mutant in chosen}

        before = {one.key: one.end for one in read(arguments.out)}

        def told(mutant: Mutant, end: str) -> None:
            if end == "survived" and arguments.survivors:
                end = before.get(key(mutant), "survived the quick tests")
            elif end == "survived" and len(selected[mutant]) < len(found.tests(mutant, longest=math.inf)):
                end = "survived the quick tests"
            append(arguments.out, outcome(mutant, end=end, of=len(every), tests=len(selected[mutant])))

        try_all(part, copied, chosen, selected, found, told)
    keys = set(map(key, every))
    ends = [one for one in read(arguments.out) if one.key in keys]
    for one in ends:
        if one.lives:
            print(f"{one.module}:{one.line}  {one.before}  ->  {one.after}")
    print(f"{part}: {sum(not one.lives for one in ends)} of {len(ends)} killed", flush=True)


def _left(chosen: Sequence[Mutant], done: Sequence[Outcome], arguments: argparse.Namespace) -> list[Mutant]:
    """Those that are still to be tried."""
    ends = {one.key: one.end for one in done}
    if arguments.survivors:  # a few tests are not enough for those that were never tried
        chosen = [mutant for mutant in chosen if key(mutant) in ends]
    again = set() if arguments.survivors is None else {"survived"}
    if arguments.survivors is not None or math.isinf(arguments.longest):
        again.add("survived the quick tests")
    return [mutant for mutant in chosen if key(mutant) not in ends or ends[key(mutant)] in again]


def _copy(folder: Path) -> Path:
    """The files of the repository that git knows."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    copied = folder / "repository"
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copied / name)
    return copied


if __name__ == "__main__":
    main()
