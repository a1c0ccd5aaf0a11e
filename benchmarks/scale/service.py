"""What the controller pays for a trial, by trials that have ended and by workers: real `Search`, virtual workers."""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from benchmarks.runner import Task, run_tasks
from benchmarks.scale import studies
from benchmarks.scale.parts import PARTS, watched
from benchmarks.scale.virtual import Virtual
from igcnas.search import controller, flight, observing
from igcnas.search.folder import JOURNAL

TRIALS = (3, 30, 100, 300, 1_000, 10_000)
WORKERS = (1, 10, 100, 1_000)
CACHE = "service.jsonl"
REPEATS = 15
_STARTED, _FEW = 10, 4  # the first ten proposals are random: fewer are measured, so that none is of another kind
_OBSERVED = observing.observed
_APART = 1_000  # trials from which it is measured how it was before, and at which the random sampler is
_WARM = 2  # trials before those that count: the first proposal of a run reads all that is known


class _Moment(NamedTuple):
    """When a training has ended: on the wall, of a core by part, and bytes of the journal."""

    wall: float
    core: dict[str, float]
    size: int


def run_one(task: Task, work: Path) -> Task:
    """Seconds of a trial by part, after so many ended ones with so many in training: one ends, one begins."""
    moments: list[_Moment] = []
    asked: list[float] = []
    with tempfile.TemporaryDirectory() as root, watched() as parts, _as_before(task["apart"]):
        folder = Path(root) / "study"

        def ended() -> None:
            told = parts.told()
            moments.append(_Moment(time.perf_counter(), told["core"], (folder / JOURNAL).stat().st_size))

        def stop() -> bool:  # it is asked between the end of a training and the begin of the next
            asked.append(time.perf_counter())
            return len(moments) > _WARM + int(task["repeats"])

        made = studies.settings(task["sampler"])
        shutil.copytree(_filled(work / f"filled-{task['sampler']}-{task['trials']}", task), folder)
        search = studies.search(folder, Virtual(task["workers"], on_end=ended), made)
        studies.fill(search, running=task["workers"])
        search.stop = stop
        search.run(10**9)
    each = [
        {
            "wall": after.wall - before.wall,
            "wall of the end": next(moment for moment in asked if moment > before.wall) - before.wall,
            "journal": after.size - before.size,
            **{f"core {part}": after.core[part] - before.core[part] for part in PARTS},
        }
        for before, after in pairwise(moments[_WARM:])
    ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "each": [{name: round(value, 6) for name, value in one.items()} for one in each],
        "memory_mb": round(memory, 1),
    }


def _filled(folder: Path, task: Task) -> Path:
    """A study of so many trials that have ended, made once."""
    if not folder.exists():
        half = folder.with_name(folder.name + ".part")
        shutil.rmtree(half, ignore_errors=True)
        search = studies.search(half, Virtual(1), studies.settings(task["sampler"]))
        studies.fill(search, ended=task["trials"])
        half.rename(folder)
    return folder


@contextmanager
def _as_before(apart: bool) -> Iterator[None]:
    """Each record of the journal is written by itself, and all that is known looked at anew: as igcnas did once."""
    with ExitStack() as changes:
        for place in (controller, flight) if apart else ():
            changes.enter_context(patch.object(place, "together", lambda _study: nullcontext()))
        if apart:
            anew = lambda *given, kept=None, **named: _OBSERVED(*given, **named)  # noqa: E731
            changes.enter_context(patch.object(observing, "observed", anew))
        yield


def _alone(task: Task, work: Path) -> Task:
    """In a process of its own, whose memory is that of this study."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run_one, task, work).result()


def measured(arguments: argparse.Namespace) -> list[Task]:
    """Run what is missing."""
    tasks = [
        {
            "strategy": "service",
            "sampler": sampler,
            "trials": trials,
            "workers": workers,
            "apart": apart,
            "repeats": REPEATS if trials >= _STARTED else _FEW,
        }
        for sampler, apart in (("gp", True), ("gp", False), ("random", False))
        for trials in reversed(TRIALS)
        for workers in WORKERS
        if not apart or (workers == 1 and trials >= _APART)
        if sampler == "gp" or trials == _APART
    ]
    return run_tasks(tasks, partial(_alone, work=arguments.work), cache=arguments.work / CACHE, workers=1)
