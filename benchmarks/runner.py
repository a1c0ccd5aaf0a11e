"""Many short runs in several processes, each kept as a line of JSON: a stopped benchmark goes on where it was.

A task is a flat dict of strings and numbers and says everything about its run. What comes out is kept
beside it. Only the calling process writes the cache; a line that a kill has torn is run again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Task = dict[str, Any]
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_tasks(
    tasks: Iterable[Task], function: Callable[[Task], Task], *, cache: Path, workers: int, redo: Sequence[str] = ()
) -> list[Task]:
    """The result of every task, in the order of the tasks; those in the cache are not run again.

    `function` is a function of a module, for it goes to other processes; it returns what is to be kept beside the task.
    Results of a strategy in `redo` are thrown out of the cache first: its code has changed.
    """
    tasks = list(tasks)
    done = read(cache)
    if redo:
        done = {key: line for key, line in done.items() if line["task"].get("strategy") not in redo}
    if redo or _is_torn(cache):
        _rewrite(cache, done)
    missing = [task for task in tasks if _key(task) not in done]
    start = time.monotonic()
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a", buffering=1, encoding="utf-8") as file:
        for number, (task, result) in enumerate(_results(missing, function, workers), start=1):
            line = {"task": task, "result": result}
            file.write(json.dumps(line) + "\n")
            done[_key(task)] = line
            if number % 50 == 0:
                pace = (time.monotonic() - start) / number
                print(f"{number}/{len(missing)}, {pace * (len(missing) - number) / 60:.0f} min left", flush=True)
    return [done[_key(task)]["task"] | done[_key(task)]["result"] for task in tasks]


def read(cache: Path) -> dict[str, Any]:
    """Lines of the cache by task; torn ones are left out."""
    done = {}
    for line in cache.read_text(encoding="utf-8").splitlines() if cache.exists() else ():
        try:
            entry = json.loads(line)
            done[_key(entry["task"])] = entry
        except (ValueError, KeyError):
            continue
    return done


def _key(task: Task) -> str:
    return json.dumps(task, sort_keys=True)


def _is_torn(cache: Path) -> bool:
    """Whether the last line has no end: what is appended would be lost behind it."""
    return cache.exists() and not cache.read_bytes().endswith(b"\n")


def _rewrite(cache: Path, done: dict[str, Any]) -> None:
    if cache.exists():
        whole = cache.with_suffix(".new")
        whole.write_text("".join(json.dumps(line) + "\n" for line in done.values()), encoding="utf-8")
        whole.replace(cache)


def _results(tasks: list[Task], function: Callable[[Task], Task], workers: int) -> Iterable[tuple[Task, Task]]:
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield task, function(task)
        return
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # before the processes start: each has one thread
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_Call(function), tasks)


class _Call:
    """The function and its task, as a pair that comes back in any order."""

    def __init__(self, function: Callable[[Task], Task]) -> None:
        self.function = function

    def __call__(self, task: Task) -> tuple[Task, Task]:
        return task, self.function(task)
