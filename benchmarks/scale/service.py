"""What the controller pays for one trial, by trials that have ended and by workers: the real `Search`, virtual workers."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, nullcontext
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

from benchmarks.runner import Task, run_tasks
from benchmarks.scale import studies
from benchmarks.scale.parts import watched
from benchmarks.scale.virtual import Virtual
from igcnas.search import controller, flight
from igcnas.search.folder import JOURNAL

TRIALS = (30, 100, 300, 1_000, 10_000)
WORKERS = (1, 10, 100, 1_000)
CACHE = "service.jsonl"
_APART = 1_000  # trials up to which it is measured how it was before
_WARM = 2  # trials before those that count: the first proposal of a run reads all that is known


def run_one(task: Task) -> Task:
    """Seconds of a trial by part, after so many ended ones with so many in training: one ends, one begins.

    task: `apart` writes each record of the journal by itself, as igcnas did before `storage.together`.
    """
    ends: list[tuple[float, dict[str, dict[str, float]]]] = []
    with tempfile.TemporaryDirectory() as root, watched() as parts, ExitStack() as changes:
        if task["apart"]:
            for place in (controller, flight):
                changes.enter_context(patch.object(place, "together", lambda _study: nullcontext()))
        asked: list[float] = []
        evaluator = Virtual(task["workers"], on_end=lambda: ends.append((time.perf_counter(), parts.told())))
        folder = Path(root) / "study"
        search = studies.search(folder, evaluator, studies.settings(task["sampler"]))
        studies.fill(search, ended=task["trials"], running=task["workers"])
        size = (folder / JOURNAL).stat().st_size
        search.stop = lambda: asked.append(time.perf_counter()) or len(ends) > _WARM + task["repeats"]
        search.run(10**9)
        grown = (folder / JOURNAL).stat().st_size - size
    each = []
    for (begin, before), (end, after) in zip(ends[_WARM:], ends[_WARM + 1 :], strict=False):
        each.append(
            {
                "wall": end - begin,
                "wall of the end": next(moment for moment in asked if moment > begin) - begin,
                **{f"core {part}": after["core"][part] - before["core"][part] for part in before["core"]},
                **{f"wall {part}": after["wall"][part] - before["wall"][part] for part in before["wall"]},
            }
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rounded = [{name: round(seconds, 6) for name, seconds in one.items()} for one in each]
    return {"each": rounded, "memory_mb": round(memory, 1), "grown": grown, "filled": size}


def _alone(task: Task) -> Task:
    """In a process of its own, whose memory is that of this study."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run_one, task).result()


def measured(arguments: argparse.Namespace) -> list[Task]:
    """Run what is missing."""
    tasks = [
        {"strategy": "service", "sampler": sampler, "trials": trials, "workers": workers, "apart": apart, "repeats": 15}
        for sampler, apart in (("gp", False), ("gp", True), ("random", False))
        for trials in TRIALS
        for workers in WORKERS
        if not apart or (workers == 1 and trials <= _APART)
    ]
    return run_tasks(tasks, _alone, cache=arguments.work / CACHE, workers=1)
