"""A command under a fault of the disk: given again and again, the fault mended each time, until it has ended."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from benchmarks.disk.disks import LARGE, Fault, give, small_disk
from benchmarks.disk.works import Work, make_images
from igcnas.system.program import REFUSED

_ROOT = Path(__file__).parents[2]
_MOST_STOPS = 60
_IMPORTED = ("torch", "numba", "optuna", "scipy.stats", "sklearn.datasets", "matplotlib.pyplot", "igcnas.cli.commands")
_SAID = ("note", "warning", "compiling")  # beginnings of lines on stderr that are no error
_LINE = re.compile(r"error: (\w+: )?(cannot .+|this machine has a fault): (?P<reason>[^;]+); .+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How a run ended before its time. left_behind: files under another name than theirs.

    wrong: what of it is not as it should be, else "".
    """

    status: int
    line: str
    left_behind: tuple[str, ...]
    wrong: str

    @property
    def what(self) -> str:
        """What could not be done: a verb and the last part of a name."""
        words = self.line.partition("cannot ")[2].partition(": ")[0].split()
        return f"{words[0]} {Path(words[-1]).name}" if words else self.line[:60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All stops of a command, and how its end differs from that of one that met no fault."""

    stops: tuple[Stop, ...]
    different: tuple[str, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether anything was not as it should be."""
        return bool(self.different) or any(stop.wrong for stop in self.stops)


def undisturbed(work: Work, disk: Path, base: Path | None = None, *, forks: bool = False) -> dict[str, object]:
    """What the command makes on a disk with room. forks: in a copy of this process, which must have done little."""
    with small_disk(disk, LARGE):
        _prepare(work, disk, base)
        status, words = _run(work, disk, Fault(name="", words=()), forks=forks)
        if status:
            raise RuntimeError(f"{work.name} without a fault ended with status {status}:\n{words}")
        return work.result(disk)


def disturbed(
    work: Work, fault: Fault, disk: Path, wanted: dict[str, object], base: Path | None = None, *, forks: bool = False
) -> Course:
    """The command under the fault; wanted: what it makes without."""
    stops: list[Stop] = []
    with fault.mounted(disk):
        _prepare(work, disk, base)
        give(disk, fault)
        fault.arm(disk)
        while True:
            may_strike = fault.during and not stops
            status, words = _run(work, disk, fault, forks=forks, strikes=may_strike)
            if status == 0 or len(stops) == _MOST_STOPS:
                break
            stops.append(_stop(status, words, fault, disk))
            if stops[-1].wrong:
                break
            fault.mend(disk, work.folder(disk))
        found = work.result(disk) if status == 0 else {"end": f"status {status}"}
        if left := left_behind(disk):
            found["left behind"] = left
    different = [
        f"{key}: {str(wanted.get(key))[:300]} -> {str(found.get(key))[:300]}"
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]
    return Course(stops=tuple(stops), different=tuple(different))


def left_behind(folder: Path) -> tuple[str, ...]:
    """Files and folders under a name that begins with a dot: what was being written."""
    return tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.startswith(".")))


def _prepare(work: Work, disk: Path, base: Path | None) -> None:
    other = disk.parent / "other"
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    if work.on_images:
        make_images(other / "images")
    if work.on_study:
        assert base is not None
        for place in (disk / "base", disk / "other", other / "base"):
            shutil.copytree(base, place)


def _run(work: Work, disk: Path, fault: Fault, *, forks: bool, strikes: bool = False) -> tuple[int, str]:
    """One run: its status, and what it said on stderr."""
    log = disk.parent / "stderr"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)} | work.variables(disk)
    begin = _forked if forks and work.forks and fault.user is None else _started
    pid = begin(work, disk, fault, environment, log)
    status: int | None = None
    while status is None:
        if strikes and work.is_under_way(disk) and fault.strike(disk, work.folder(disk)):
            strikes = False
        ended, found = os.waitpid(pid, os.WNOHANG if strikes else 0)
        status = os.waitstatus_to_exitcode(found) if ended else None
        time.sleep(0.002 if strikes else 0)
    return status, log.read_text(encoding="utf-8", errors="replace").strip()


def _forked(work: Work, disk: Path, fault: Fault, environment: dict[str, str], log: Path) -> int:
    """The command in a copy of this process, which has imported what most of a short run's time is spent on."""
    for name in _IMPORTED:
        importlib.import_module(name)
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        null, output = os.open(os.devnull, os.O_RDWR), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number, descriptor in enumerate((null, null, output)):
            os.dup2(descriptor, number)
        os.environ.update(environment)
        os.chdir(_ROOT)
        sys.argv = work.command(disk)[2:]
        fault.limit()
        runpy.run_module(work.program, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # what nobody caught is what is looked for
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _started(work: Work, disk: Path, fault: Fault, environment: dict[str, str], log: Path) -> int:
    """The command as a program of its own; that of another user may read everything."""
    command, read = work.command(disk), "+dac_read_search"
    if fault.user is not None:
        identity = [f"--reuid={fault.user}", f"--regid={fault.user}", "--clear-groups"]
        command = ["setpriv", *identity, f"--inh-caps={read}", f"--ambient-caps={read}", *command]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=_ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=output,
            preexec_fn=fault.limit,
        ).pid


def _stop(status: int, words: str, fault: Fault, disk: Path) -> Stop:
    """What came of a run that did not end well."""
    lines = [line for line in words.splitlines() if not line.startswith(_SAID)]
    line = lines[-1] if lines else ""
    match, wrong = _LINE.fullmatch(line), []
    if status != REFUSED:
        wrong.append(f"status {status}")
    if len(lines) != 1:
        wrong.append(f"{len(lines)} lines")
    if match is None or not any(text in match["reason"] for text in fault.words):
        wrong.append("not the line of this fault")
    left = () if fault.during else left_behind(disk)  # where nothing can be removed either, the next run does it
    if left:
        wrong.append(f"left behind: {', '.join(left)}")
    return Stop(status=status, line=line, left_behind=left, wrong="; ".join(wrong) + (f"\n{words}" if wrong else ""))
